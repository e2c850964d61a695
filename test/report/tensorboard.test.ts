import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32c, maskedCrc32c } from '../../src/report/crc32c.js';
import {
  encodeEvent,
  encodeFileVersion,
  frameRecord,
  openEventFile,
  readRecords,
} from '../../src/report/tensorboard.js';
import { temporary } from '../storage/fixtures.js';

const ascii = (text: string) => new TextEncoder().encode(text);

test('CRC-32C of the published vectors', () => {
  assert.equal(crc32c(ascii('123456789')), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(0)), 0);
  // RFC 3720, appendix B.4.
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
});

test('the mask rotates and adds', () => {
  // 0xE3069283 rotated right by 15 bits is 0x2507C60D; plus 0xA282EAD8.
  assert.equal(maskedCrc32c(ascii('123456789')), 0xc78ab0e5);
});

test('an event is encoded field by field', () => {
  assert.equal(
    Buffer.from(encodeEvent(1, 300, { a: 0.5 })).toString('hex'),
    // wall_time 1.0 · step 300 · summary { value { tag "a", simple_value 0.5 } }
    ['09000000000000f03f', '10ac02', '2a0a', '0a08', '0a0161', '150000003f'].join(''),
  );
  assert.equal(Buffer.from(encodeFileVersion(0)).toString('latin1').slice(9), '\x1a\x0dbrain.Event:2');
});

test('frames read back, and reading stops at the first damage', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 }), fc.nat(), (payloads, where) => {
      const bytes = Buffer.concat(payloads.map(frameRecord));
      assert.deepEqual(
        [...readRecords(bytes)].map(({ payload }) => [...payload]),
        payloads.map((payload) => [...payload]),
      );
      if (bytes.length === 0) return;
      const damaged = Buffer.from(bytes);
      damaged[where % bytes.length]! ^= 0x10;
      const read = [...readRecords(damaged)];
      assert.ok(read.length < payloads.length);
      assert.ok((read.at(-1)?.end ?? 0) <= where % bytes.length);
    }),
  );
});

test('a resumed run continues its file and drops what came after the snapshot', async (t) => {
  const dir = await temporary(t);
  const first = await openEventFile(dir, { wallTime: 1000 });
  for (const step of [1, 2, 3])
    await first.scalars(step, { loss: 1 / step, skipped: Number.NaN }, 1000 + step);
  await first.close();
  assert.deepEqual(await readdir(dir), ['events.out.tfevents.0000001000.recsys']);
  const path = join(dir, 'events.out.tfevents.0000001000.recsys');
  const whole = await readFile(path);
  await appendFile(path, 'half a record');
  const second = await openEventFile(dir, { resumeFrom: 2, wallTime: 2000 });
  await second.scalars(3, { loss: 1 / 3 }, 1003);
  await second.close();
  assert.deepEqual(await readdir(dir), ['events.out.tfevents.0000001000.recsys']);
  assert.deepEqual(await readFile(path), whole);
  await (await openEventFile(dir, { wallTime: 3000 })).close();
  assert.deepEqual(await readdir(dir), ['events.out.tfevents.0000003000.recsys'], 'a fresh run replaces it');
});

const python = process.env.RECSYS_PYTHON ?? 'python3';
const hasTensorBoard = spawnSync(python, ['-c', 'import tensorboard']).status === 0;
test("TensorBoard's own reader reads the events", {
  skip: hasTensorBoard ? false : 'no Python with tensorboard',
}, async (t) => {
  const dir = await temporary(t);
  const file = await openEventFile(join(dir, 'tensorboard'), { wallTime: 1000 });
  await file.scalars(1, { loss: 0.5, 'ndcg@10': 0.125 }, 1001);
  await file.scalars(2, { loss: 0.25 }, 1002);
  await file.close();
  const script = `
import sys, json
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
a = EventAccumulator(sys.argv[1]); a.Reload()
print(json.dumps({t: [[e.step, e.wall_time, e.value] for e in a.Scalars(t)] for t in a.Tags()['scalars']}))`;
  await writeFile(join(dir, 'read.py'), script);
  const out = execFileSync(python, [join(dir, 'read.py'), join(dir, 'tensorboard')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  assert.deepEqual(JSON.parse(out), {
    loss: [
      [1, 1001, 0.5],
      [2, 1002, 0.25],
    ],
    'ndcg@10': [[1, 1001, 0.125]],
  });
});
