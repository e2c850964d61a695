import assert from 'node:assert/strict';
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspectRecords, openRecords, writeRecords } from '../../src/storage/record-file.js';
import { temporary } from './fixtures.js';

const three = (dir: string): Promise<void> =>
  writeRecords(dir, 'key', 4, async (put) => {
    for (const n of [2, 0, 1]) put(n, Uint8Array.of(n, n + 10, n + 20, n + 30));
  });

test('records written in any order are read in runs', async (t) => {
  const dir = join(await temporary(t), 'a', 'b');
  assert.equal(await inspectRecords(dir, 'key'), 'missing');
  await three(dir);
  assert.equal(await inspectRecords(dir, 'key'), 'ready');
  assert.equal(await inspectRecords(dir, 'other'), 'missing');
  const reader = openRecords(dir, 4);
  t.after(() => reader.close());
  assert.deepEqual([...reader.read(1, 2)], [1, 11, 21, 31, 2, 12, 22, 32]);
  assert.deepEqual([...reader.read(0, 1)], [0, 10, 20, 30]);
  assert.throws(() => reader.read(2, 2), /records 2 to 3 are not there/);
});

test('what is cut off, altered, half written or not ours is found out', async (t) => {
  const dir = await temporary(t);
  const file = join(dir, 'records.bin');
  const damage = async (): Promise<string> => {
    const found = await inspectRecords(dir, 'key');
    return typeof found === 'string' ? found : found.damaged;
  };
  await three(dir);
  const whole = await readFile(file);
  await truncate(file, 11);
  assert.match(await damage(), /has 11 bytes, its manifest records 12/);
  await writeFile(
    file,
    whole.map((byte, i) => (i === 5 ? byte ^ 1 : byte)),
  );
  assert.match(await damage(), /was altered/);
  await rm(file);
  assert.match(await damage(), /is missing/);
  await writeFile(join(dir, 'records.json'), '{"version":1');
  assert.match(await damage(), /is not one of recsys/);
  await three(dir);
  assert.equal(await damage(), 'ready');
});

test('work that throws leaves nothing that looks whole', async (t) => {
  const dir = await temporary(t);
  await three(dir);
  const failing = writeRecords(dir, 'key', 4, async (put) => {
    put(0, new Uint8Array(4));
    throw new Error('stopped');
  });
  await assert.rejects(failing, /stopped/);
  assert.equal(await inspectRecords(dir, 'key'), 'missing');
  assert.ok(!(await readdir(dir)).includes('records.bin.tmp'));
});
