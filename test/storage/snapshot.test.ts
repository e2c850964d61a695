import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, mkdir, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import {
  clearSnapshots,
  isResumable,
  parseProgress,
  readSnapshot,
  saveSnapshot,
  stringifyProgress,
} from '../../src/storage/snapshot.js';
import type { TensorMap } from '../../src/types.js';
import { temporary } from './fixtures.js';

const weights = (value: number): TensorMap =>
  new Map([['w', { dtype: 'F32', shape: [2], data: Float32Array.of(value, -value) }]]);
const snapshot = (n: number) => ({
  tensors: weights(n),
  optimizer: weights(n / 2),
  progress: { step: n, best: -Infinity },
});

test('the newest snapshot is read, older ones go', async (t) => {
  const dir = await temporary(t);
  assert.equal(await readSnapshot(dir), undefined);
  assert.equal(await readSnapshot(join(dir, 'nowhere')), undefined);
  assert.equal(await isResumable(dir), false);
  for (const n of [1, 2, 3]) await saveSnapshot(dir, snapshot(n));
  assert.deepEqual(await readSnapshot(dir), snapshot(3));
  assert.deepEqual(await readdir(dir), ['snapshot.3']);
  assert.equal(await isResumable(dir), true);
  await clearSnapshots(dir);
  assert.deepEqual(await readdir(dir), []);
});

test('what a kill can leave behind does not disturb', async (t) => {
  const dir = await temporary(t);
  await saveSnapshot(dir, snapshot(1));
  await mkdir(join(dir, 'snapshot.2.tmp'));
  await writeFile(join(dir, 'snapshot.2.tmp', 'model.safetensors'), 'half');
  assert.deepEqual(await readSnapshot(dir), snapshot(1));
  await saveSnapshot(dir, snapshot(2));
  assert.deepEqual(await readdir(dir), ['snapshot.2']);
  await mkdir(join(dir, 'snapshot.1'));
  assert.deepEqual(await readSnapshot(dir), snapshot(2), 'a half-removed older one');
});

test('a damaged snapshot falls back to an older whole one, or is named', async (t) => {
  const dir = await temporary(t);
  await saveSnapshot(dir, snapshot(1));
  await cp(join(dir, 'snapshot.1'), join(dir, 'snapshot.2'), { recursive: true });
  await truncate(join(dir, 'snapshot.2', 'optimizer.safetensors'), 20);
  assert.deepEqual(await readSnapshot(dir), snapshot(1));
  await rm(join(dir, 'snapshot.1'), { recursive: true });
  await assert.rejects(readSnapshot(dir), {
    code: 'CHECKPOINT_DAMAGED',
    message: /snapshot\.2.optimizer\.safetensors/,
  });
});

test('kill -9 at any moment leaves a whole snapshot', async (t) => {
  const dir = await temporary(t);
  const script = fileURLToPath(new URL('./writer.ts', import.meta.url));
  for (const delay of [0, 9]) {
    const child = spawn(process.execPath, ['--import', 'tsx', script, dir, 'snapshots'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await new Promise((resolve) => setTimeout(resolve, delay));
    const exit = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exit;
    const found = await readSnapshot(dir);
    assert.ok(found);
    const { n } = found.progress as { n: number };
    assert.ok(n >= 1);
    for (const map of [found.tensors, found.optimizer]) {
      assert.ok(map.get('w')?.data.every((value) => value === n));
    }
  }
});

test('progress keeps every number', () => {
  const values = fc.oneof(
    fc.double(),
    fc.constantFrom(Number.NaN, Infinity, -Infinity),
    fc.string(),
    fc.boolean(),
    fc.constant(null),
  );
  fc.assert(
    fc.property(
      fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.oneof(values, fc.array(values))),
      (progress) => {
        const plain = { ...progress };
        // JSON writes −0 as 0.
        fc.pre(
          !JSON.stringify(
            Object.values(plain)
              .flat()
              .map((v) => Object.is(v, -0)),
          ).includes('true'),
        );
        assert.deepEqual(parseProgress(stringifyProgress(plain)), plain);
      },
    ),
  );
});
