import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Dispositions, sameOutcome } from '../../src/online/dispositions.js';
import { Journal } from '../../src/online/journal.js';
import type { JournalRecord, OutcomeRecord } from '../../src/online/records.js';
import { FaultyFiles } from './faulty-files.js';
import {
  CountingLearner,
  catalogue,
  event,
  NOW,
  type Overrides,
  recordingContext,
  startService,
  temporary,
} from './fixtures.js';

const sent = (id: string, item: string, behaviour = 'view') => ({
  ...event(id, item),
  id,
  behaviour,
  time: NOW,
});

async function recordsIn(directory: string, files = new FaultyFiles()): Promise<JournalRecord[]> {
  const journal = await Journal.open(directory, { segmentBytes: 1 << 20, files });
  const records: JournalRecord[] = [];
  for await (const { record } of journal.read()) records.push(record as JournalRecord);
  await journal.close();
  return records;
}

/** Number of each event, and what the outcomes in the journal say of it: each must be spoken of once. */
function ends(records: readonly JournalRecord[]): Map<string, string[]> {
  const said = new Map<string, string[]>();
  let from = 1;
  for (const record of records) {
    if (record.type !== 'outcome') continue;
    for (let seq = from; seq <= record.through; seq++) {
      const event = records[seq - 1]!;
      if (event.type !== 'event') continue;
      const reasons = Object.entries(record.skipped ?? {}).filter(([, seqs]) => seqs.includes(seq));
      said.set(event.id, [
        ...(said.get(event.id) ?? []),
        ...(reasons.length > 0 ? reasons.map(([reason]) => reason) : ['learned']),
      ]);
    }
    from = record.through + 1;
  }
  return said;
}

test('the journal says of every event what became of it, once', async () => {
  const files = new FaultyFiles();
  const learning = { batch: 2, weights: { buy: 0 } };
  const { service } = await startService('/state/journal', { files, learning });
  await service.accept([sent('a', 'i1'), sent('b', 'nothing known'), sent('c', 'i2', 'buy')]);
  await service.accept([sent('d', 'i3'), sent('e', 'i4', 'gift')]);
  await service.accept([sent('f', 'nor this')]);
  await service.drain();
  await service.close();
  assert.deepEqual(Object.fromEntries(ends(await recordsIn('/state/journal', files))), {
    a: ['learned'],
    b: ['unknown item'],
    c: ['weight 0'],
    d: ['learned'],
    e: ['unknown behaviour'],
    f: ['unknown item'],
  });
});

test('where learning is off, or fails, the journal says so', async () => {
  const cases: [string, Overrides][] = [
    ['learning is off', { learning: { enabled: false } }],
    ['learning failed', { learner: failing() }],
  ];
  for (const [reason, overrides] of cases) {
    const files = new FaultyFiles();
    const { service } = await startService('/state/journal', { files, ...overrides });
    await service.accept([sent('a', 'i1')]);
    await service.idle();
    await service.accept([sent('b', 'i2')]);
    await service.drain();
    await service.close();
    const said = ends(await recordsIn('/state/journal', files));
    assert.deepEqual(
      [...said],
      [
        ['a', [reason]],
        ['b', [reason]],
      ],
    );
  }
});

function failing(): CountingLearner {
  const learner = new CountingLearner(catalogue(3, 20));
  learner.learn = async () => {
    throw new Error('a bug');
  };
  return learner;
}

test('a kill before an outcome is recorded: the next start comes to it again, and records it', async () => {
  const files = new FaultyFiles();
  const { service } = await startService('/state/journal', { files });
  await service.accept([sent('a', 'i1'), sent('b', 'nothing known')]);
  await service.idle();
  await service.close();
  const records = await recordsIn('/state/journal', files);
  assert.equal(records.at(-1)!.type, 'outcome');
  // The same journal without its last record.
  const dir = '/other/journal';
  const journal = await Journal.open(dir, { segmentBytes: 1 << 20, files });
  await journal.append(records.slice(0, -1));
  await journal.close();
  const context = recordingContext();
  const again = await startService(dir, { files, context });
  await again.service.idle();
  await again.service.close();
  assert.deepEqual(await recordsIn(dir, files), records);
  assert.deepEqual(
    context.lines.filter((line) => line.startsWith('warn')),
    [],
  );
});

test('a replay that comes to other outcomes says so', async (t) => {
  const dir = await temporary(t);
  const { service } = await startService(dir);
  for (const id of ['a', 'b', 'c']) {
    await service.accept([sent(id, 'i1')]);
    await service.idle();
  }
  await service.close();
  const context = recordingContext();
  const other = new CountingLearner(catalogue(3, 20));
  other.learn = async (examples) => examples.map(() => ({ status: 'skipped', reason: 'test' }) as const);
  const again = await startService(dir, { context, learner: other });
  await again.service.close();
  assert(
    context.lines.some((line) => /warn: 3 updates did not end as the journal says/.test(line)),
    context.lines.join('\n'),
  );
});

test('an outcome that a repair of the journal lost is missing alone: those after it are confirmed, none is recorded again', async () => {
  const files = new FaultyFiles();
  const { service } = await startService('/state/journal', { files });
  for (const id of ['a', 'b', 'c']) {
    await service.accept([sent(id, 'i1')]);
    await service.idle();
  }
  await service.close();
  const whole = await recordsIn('/state/journal', files);
  const at = whole.findIndex(({ type }) => type === 'outcome');
  const repaired = whole.with(at, { type: 'lost' });
  const journal = await Journal.open('/other/journal', { segmentBytes: 1 << 20, files });
  await journal.append(repaired);
  await journal.close();
  const context = recordingContext();
  const again = await startService('/other/journal', { files, context });
  await again.service.idle();
  await again.service.close();
  assert.deepEqual(await recordsIn('/other/journal', files), repaired);
  const warned = context.lines.filter((line) => line.startsWith('warn'));
  assert.deepEqual(warned, ['warn: 1 journal records were lost before a repair']);
});

test('outcomes are equal when they say the same of each event, in whatever order', () => {
  const skips = fc.array(fc.tuple(fc.constantFrom('x', 'y', 'z'), fc.nat(50)), { maxLength: 20 });
  fc.assert(
    fc.property(skips, fc.nat(60), (all, through) => {
      const made = (list: readonly (readonly [string, number])[]): OutcomeRecord => {
        const ended = new Dispositions();
        for (const [reason, seq] of list) ended.skip(reason, seq);
        return JSON.parse(JSON.stringify(ended.record(through)));
      };
      assert(sameOutcome(made(all), made([...all].reverse())), 'the order changed it');
      assert(!sameOutcome(made(all), { ...made(all), through: through + 1 }), 'another end');
      assert(!sameOutcome(made(all), made([...all, ['w', 1]])), 'one more');
    }),
  );
});
