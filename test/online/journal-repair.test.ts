import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FRAME_HEADER } from '../../src/online/frame.js';
import { checkJournal, journalRecords } from '../../src/online/journal/check.js';
import { repairJournal } from '../../src/online/journal/repair.js';
import { Journal } from '../../src/online/journal.js';
import { temporary } from './fixtures.js';

const OPTIONS = { segmentBytes: 4096 };
const LOST = { type: 'lost' };

/** Six records of 2,000 characters, two a segment: frames of one record each. */
async function threeSegments(dir: string): Promise<string[]> {
  const journal = await Journal.open(dir, { ...OPTIONS, segmentBytes: 4000 });
  for (let i = 1; i <= 6; i++) await journal.append([{ i, text: 'x'.repeat(2000) }]);
  await journal.close();
  return (await readdir(dir))
    .filter((name) => name.endsWith('.log'))
    .sort()
    .map((name) => join(dir, name));
}

async function contents(dir: string): Promise<[number, unknown][]> {
  const all: [number, unknown][] = [];
  for await (const { seq, record } of journalRecords(dir))
    all.push([seq, (record as { i?: number }).i ?? record]);
  return all;
}

async function flip(file: string, at: number): Promise<Buffer> {
  const bytes = await readFile(file);
  bytes[at]! ^= 0xff;
  await writeFile(file, bytes);
  return bytes;
}

test('a whole journal: segments, numbers, nothing to repair', async (t) => {
  const dir = await temporary(t);
  const files = await threeSegments(dir);
  const report = await checkJournal(dir);
  assert.deepEqual(
    report.segments.map(({ file, firstSeq, lastSeq, records }) => [file, firstSeq, lastSeq, records]),
    files.map((file, i) => [file, 2 * i + 1, 2 * i + 2, 2]),
  );
  assert.deepEqual([report.records, report.firstSeq, report.lastSeq], [6, 1, 6]);
  assert.deepEqual([report.damage, report.unfinished], [[], undefined]);
  const before = await Promise.all(files.map((file) => readFile(file)));
  assert.deepEqual(await repairJournal(dir, true), { cut: undefined, rewritten: [] });
  assert.deepEqual(await Promise.all(files.map((file) => readFile(file))), before);
});

test('an unfinished write at the end is told, cut and kept', async (t) => {
  const dir = await temporary(t);
  const last = (await threeSegments(dir)).at(-1)!;
  const bytes = await readFile(last);
  await writeFile(last, bytes.subarray(0, bytes.length - 5));
  const offset = bytes.length / 2;
  const { damage, unfinished, lastSeq } = await checkJournal(dir);
  assert.deepEqual([damage, lastSeq], [[], 5]);
  assert.deepEqual(unfinished, { file: last, offset, bytes: offset - 5, records: 0 });
  assert.deepEqual((await repairJournal(dir, false)).cut, { file: last, offset, bytes: offset - 5 });
  assert.deepEqual(await readFile(`${last}.cut-${offset}`), bytes.subarray(offset, bytes.length - 5));
  assert.equal((await checkJournal(dir)).unfinished, undefined);
});

test('a damaged segment is set aside only when asked, and every whole record keeps its number', async (t) => {
  const dir = await temporary(t);
  const [first, second] = await threeSegments(dir);
  // The first record of the first segment, and the last of the second.
  const bytes = await flip(first!, FRAME_HEADER + 9);
  const half = bytes.length / 2;
  await flip(second!, half + FRAME_HEADER + 9);
  const { damage } = await checkJournal(dir);
  assert.deepEqual(
    damage.slice(0, 2).map(({ file, offset, what }) => [file, offset, what]),
    [
      [first, 0, 'is damaged'],
      [second, half, 'is damaged'],
    ],
  );
  await assert.rejects(repairJournal(dir, false), { code: 'JOURNAL_DAMAGED' });
  assert.deepEqual(await readFile(first!), bytes, 'left as it was');
  const { rewritten } = await repairJournal(dir, true);
  assert.deepEqual(rewritten, [
    { file: first, aside: `${first}.damaged-0`, kept: 1, lost: 1 },
    { file: second, aside: `${second}.damaged-${half}`, kept: 1, lost: 1 },
  ]);
  assert.deepEqual(await readFile(`${first}.damaged-0`), bytes);
  assert.deepEqual(await contents(dir), [
    [1, LOST],
    [2, 2],
    [3, 3],
    [4, LOST],
    [5, 5],
    [6, 6],
  ]);
  const journal = await Journal.open(dir, OPTIONS);
  assert.equal(await journal.append([{ i: 7 }]), 7);
  await journal.close();
});

test('a missing segment and a lost header', async (t) => {
  const dir = await temporary(t);
  const [, second] = await threeSegments(dir);
  await rm(second!);
  await rm(join(dir, 'journal.json'));
  assert.equal((await checkJournal(dir)).damage.length, 2);
  await repairJournal(dir, true);
  assert.deepEqual(
    (await contents(dir)).map(([, record]) => record),
    [1, 2, LOST, LOST, 5, 6],
  );
});

test('a damaged middle of the last segment', async (t) => {
  const dir = await temporary(t);
  const last = (await threeSegments(dir)).at(-1)!;
  await flip(last, 3);
  const [damage] = (await checkJournal(dir)).damage;
  assert.match(damage!.what, /whole records follow/);
  await repairJournal(dir, true);
  assert.deepEqual((await contents(dir)).slice(3), [
    [4, 4],
    [5, LOST],
    [6, 6],
  ]);
});
