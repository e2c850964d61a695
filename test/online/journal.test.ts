import assert from 'node:assert/strict';
import { copyFile, mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RecsysError } from '../../src/errors.js';
import { decodeFrame, encodeFrame, FRAME_HEADER, findFrame, frameRecords } from '../../src/online/frame.js';
import { Journal } from '../../src/online/journal.js';
import { temporary } from './fixtures.js';

const OPTIONS = { segmentBytes: 1 << 20 };

async function contents(journal: Journal, from?: number): Promise<[number, unknown][]> {
  const all: [number, unknown][] = [];
  for await (const { seq, record } of journal.read(from)) all.push([seq, record]);
  return all;
}

async function segmentsOf(dir: string): Promise<string[]> {
  return (await readdir(dir)).filter((name) => name.endsWith('.log')).sort();
}

/** A journal of three frames of one record each; gives the bytes of its one segment and the offsets of its frames. */
async function threeFrames(dir: string): Promise<{ file: string; bytes: Buffer; offsets: number[] }> {
  const journal = await Journal.open(dir, OPTIONS);
  for (const word of ['one', 'two', 'three']) await journal.append([{ word }]);
  await journal.close();
  const file = join(dir, 'journal-000000000001.log');
  const bytes = await readFile(file);
  const offsets = [0];
  for (let at = 0; at < bytes.length; ) {
    const frame = decodeFrame(bytes, at);
    assert(typeof frame === 'object');
    at = frame.end;
    offsets.push(at);
  }
  return { file, bytes, offsets };
}

test('a frame gives back any records, wherever it stands among other bytes', () => {
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue(), { minLength: 1, maxLength: 20 }),
      fc.nat(),
      fc.uint8Array({ maxLength: 40 }),
      (records, firstSeq, before) => {
        const bytes = Buffer.concat([before, encodeFrame(firstSeq, records)]);
        const frame = decodeFrame(bytes, before.length);
        assert(typeof frame === 'object');
        assert.equal(frame.firstSeq, firstSeq);
        assert.equal(frame.count, records.length);
        assert.equal(frame.end, bytes.length);
        assert.deepEqual(frameRecords(frame), JSON.parse(JSON.stringify(records)));
        const found = findFrame(bytes, 0);
        assert(found >= 0 && found <= before.length);
      },
    ),
  );
});

test('no changed bit and no missing byte of a frame goes unnoticed', () => {
  const frame = encodeFrame(7, [{ id: 'a', text: 'héllo\nworld' }, null]);
  for (let bit = 0; bit < frame.length * 8; bit++) {
    const changed = Buffer.from(frame);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(typeof decodeFrame(changed, 0), 'string', `bit ${bit}`);
  }
  for (let length = 0; length < frame.length; length++) {
    assert.equal(decodeFrame(frame.subarray(0, length), 0), 'truncated');
  }
});

test('records are numbered in the order of appending and read back after reopening', async (t) => {
  const dir = await temporary(t);
  const order: number[] = [];
  const journal = await Journal.open(dir, {
    ...OPTIONS,
    committed: (first, records) => order.push(first, records.length),
  });
  const firsts = await Promise.all(
    Array.from({ length: 50 }, (_, i) => journal.append([{ i }, { i, again: true }])),
  );
  assert.deepEqual(
    firsts,
    firsts.map((_, i) => 2 * i + 1),
  );
  assert.equal(
    order.filter((_, i) => i % 2 === 1).reduce((a, b) => a + b, 0),
    100,
  );
  await journal.close();

  const again = await Journal.open(dir, OPTIONS);
  assert.equal(again.id, journal.id);
  assert.equal(again.lastSeq, 100);
  assert.equal(again.cut, undefined);
  const all = await contents(again);
  assert.deepEqual(all[99], [100, { i: 49, again: true }]);
  assert.deepEqual(await contents(again, 100), [all[99]]);
  assert.equal(await again.append([{ more: 1 }]), 101);
  await again.close();
});

test('a tail cut off at any byte costs only the unfinished frame, is kept aside and reported', async (t) => {
  const dir = await temporary(t);
  const { bytes, offsets } = await threeFrames(join(dir, 'source'));
  for (let length = 0; length < bytes.length; length++) {
    const copy = join(dir, `cut-${length}`);
    await mkdir(copy);
    await copyFile(join(dir, 'source', 'journal.json'), join(copy, 'journal.json'));
    const file = join(copy, 'journal-000000000001.log');
    await writeFile(file, bytes.subarray(0, length));
    const whole = offsets.findLastIndex((offset) => offset <= length);
    const journal = await Journal.open(copy, OPTIONS);
    assert.equal(journal.lastSeq, whole, `length ${length}`);
    const torn = length - offsets[whole]!;
    assert.deepEqual(journal.cut, torn === 0 ? undefined : { file, offset: offsets[whole], bytes: torn });
    if (torn > 0) {
      assert.deepEqual(
        await readFile(`${file}.cut-${offsets[whole]}`),
        bytes.subarray(offsets[whole]!, length),
      );
    }
    assert.equal(await journal.append([{ after: true }]), whole + 1);
    assert.equal((await contents(journal)).length, whole + 1);
    await journal.close();
  }
});

test('a damaged byte before the last frame refuses to open and names file and offset', async (t) => {
  const dir = await temporary(t);
  const { file, bytes, offsets } = await threeFrames(dir);
  for (const at of [0, 5, FRAME_HEADER + 2, offsets[1]!, offsets[1]! + 4, offsets[2]! - 1]) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 0xff;
    await writeFile(file, changed);
    const start = offsets.findLast((offset) => offset <= at)!;
    await assert.rejects(Journal.open(dir, OPTIONS), (error: RecsysError) => {
      assert.equal(error.code, 'JOURNAL_DAMAGED');
      assert(error.message.includes(file) && error.message.includes(`offset ${start} `), error.message);
      return true;
    });
    assert.deepEqual(await readFile(file), changed, 'a damaged journal is left as it is');
  }
});

test('segments roll, a torn tail in an older one is damage, and covered ones can be removed', async (t) => {
  const dir = await temporary(t);
  const journal = await Journal.open(dir, { segmentBytes: 4096 });
  for (let i = 0; i < 12; i++) await journal.append([{ i, text: 'x'.repeat(2000) }]);
  const names = await segmentsOf(dir);
  assert.equal(names.length, 4);
  await journal.close();

  const older = join(dir, names[1]!);
  const bytes = await readFile(older);
  await truncate(older, bytes.length - 1);
  await assert.rejects(Journal.open(dir, OPTIONS), { code: 'JOURNAL_DAMAGED' });
  await writeFile(older, bytes);

  const again = await Journal.open(dir, { segmentBytes: 4096 });
  assert.equal(await again.prune(5, { segments: 0 }), 1);
  assert.equal(again.firstSeq, 4);
  assert.equal(await again.prune(again.lastSeq, { segments: 1 }), 1);
  assert.deepEqual(
    (await contents(again)).map(([seq]) => seq),
    [7, 8, 9, 10, 11, 12],
  );
  await again.close();
  const third = await Journal.open(dir, OPTIONS);
  assert.deepEqual([third.firstSeq, third.lastSeq], [7, 12]);
  await third.close();
});

test('segments roll by age, of the journal opened anew as well', async (t) => {
  const dir = await temporary(t);
  let now = Date.now();
  const options = { ...OPTIONS, segmentAge: 3_600_000, now: () => now };
  const journal = await Journal.open(dir, options);
  const written = async (of: Journal, after: number): Promise<number> => {
    now += after;
    await of.append([{ after }]);
    return (await segmentsOf(dir)).length;
  };
  assert.equal(await written(journal, 0), 1);
  assert.equal(await written(journal, 3_500_000), 1);
  assert.equal(await written(journal, 200_000), 2, 'the first is older than an hour');
  assert.equal(await written(journal, 3_500_000), 2);
  await journal.close();
  const again = await Journal.open(dir, options);
  assert.equal(await written(again, 3_700_000), 3);
  assert.equal((await contents(again)).length, 5);
  await again.close();
});

test('a missing segment and a foreign header are named', async (t) => {
  const dir = await temporary(t);
  const journal = await Journal.open(dir, { segmentBytes: 4096 });
  for (let i = 0; i < 6; i++) await journal.append([{ text: 'x'.repeat(3000) }]);
  await journal.close();
  const [, second] = await segmentsOf(dir);
  const middle = join(dir, second!);
  const bytes = await readFile(middle);
  await writeFile(middle, '');
  await assert.rejects(Journal.open(dir, OPTIONS), /begins with record 5, expected 3/);
  await writeFile(middle, bytes);
  await writeFile(join(dir, 'journal.json'), '{"kind":"journal","formatVersion":99}');
  await assert.rejects(Journal.open(dir, OPTIONS), { code: 'JOURNAL_DAMAGED' });
});
