import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Journal } from '../../../src/online/journal.js';
import {
  erasedNumbers,
  eraseEvents,
  forgetIntent,
  type Intent,
  intentsIn,
} from '../../../src/online/privacy/erased-events.js';
import { Random } from '../../../src/random.js';
import { FaultyFiles } from '../faulty-files.js';
import { ANN, eventOf } from './fixtures.js';

const directory = '/state/journal';
const options = { segmentBytes: 600, durability: 'always' as const };

const records = Array.from({ length: 24 }, (_, n) => ({
  type: 'event',
  ...eventOf(n % 3 ? 'bob' : ANN, n),
}));

async function closedOf(files: FaultyFiles) {
  const journal = await Journal.open(directory, { ...options, files });
  const closed = { directory, segments: await journal.seal() };
  const read: unknown[] = [];
  for await (const { record } of journal.read()) read.push(record);
  return { journal, closed, read };
}

/** A disk with a journal in which an erasure has been begun and nothing done yet. */
async function begun(): Promise<FaultyFiles> {
  const files = new FaultyFiles();
  const journal = await Journal.open(directory, { ...options, files });
  for (const record of records) {
    files.now += 1000;
    await journal.append([record]);
  }
  await journal.append([{ type: 'erase', user: ANN }]);
  await journal.append([{ type: 'event', ...eventOf(ANN, 100) }]);
  await journal.close();
  return files;
}

async function complete(files: FaultyFiles): Promise<void> {
  const { journal, closed } = await closedOf(files);
  for (const intent of await intentsIn(closed, files)) {
    await eraseEvents(closed, intent, files);
    await forgetIntent(closed, intent, files);
  }
  await journal.close();
}

test('a power cut after any operation of an erasure: the next start completes it, and nothing else is touched', async () => {
  const random = new Random(5);
  let cuts = 0;
  for (let cut = 1; ; cut++) {
    const files = await begun();
    const { journal, closed } = await closedOf(files);
    assert(closed.segments.length > 4);
    const [intent] = (await intentsIn(closed, files)) as [Intent];
    assert.deepEqual(intent, { user: ANN, seq: 25 });
    files.cutAfter = cut;
    const done = await eraseEvents(closed, intent, files)
      .then(() => forgetIntent(closed, intent, files))
      .then(
        () => true,
        () => false,
      );
    if (!done) cuts++;
    files.cutAfter = Number.POSITIVE_INFINITY;
    await journal.close();
    const after = done ? files : files.powerCut(random);
    await complete(after);
    const { read, closed: now } = await closedOf(after);
    assert.deepEqual(read, [
      ...records.map((record) => (record.user === ANN ? { type: 'erased' } : record)),
      { type: 'erase' },
      { type: 'event', ...eventOf(ANN, 100) },
    ]);
    assert.deepEqual(
      [...(await erasedNumbers(now, after))],
      records.flatMap(({ user }, i) => (user === ANN ? [i + 1] : [])),
    );
    if (done) break;
  }
  assert(cuts > 30, `${cuts} cuts`);
});

test('segments are as old as they were: the retention by days is not put off', async () => {
  const files = await begun();
  const { closed } = await closedOf(files);
  const before = await Promise.all(closed.segments.map(({ file }) => files.times(file)));
  const changed = before.map((one) => one.changed);
  files.now += 1_000_000;
  await complete(files);
  const after = await Promise.all(closed.segments.map(({ file }) => files.times(file)));
  assert.deepEqual(
    after.map((one) => one.changed),
    changed,
  );
  assert(new Set(changed).size > 4);
});
