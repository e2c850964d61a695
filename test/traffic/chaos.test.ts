import assert from 'node:assert/strict';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { chaosFaults } from '../../src/commands/chaos-view.js';
import { Journal } from '../../src/online/journal.js';
import { readCheckpoint, writeCheckpoint } from '../../src/storage/checkpoint.js';
import type { ChaosResult } from '../../src/traffic/chaos/chaos.js';
import { compareStates, examineJournal } from '../../src/traffic/chaos/verdict.js';
import { writeTinyCheckpoint } from '../online/checkpoint-fixture.js';
import { temporary } from '../online/fixtures.js';

const event = (id: string) => ({ type: 'event', id, user: 'u', item: 'i1', behaviour: 'view', time: 1 });
const learn = (through: number) => ({ type: 'learn', through });

async function journalOf(t: TestContext, records: readonly object[]): Promise<string> {
  const dir = join(await temporary(t), 'journal');
  const journal = await Journal.open(dir, { segmentBytes: 1 << 20 });
  for (const record of records) await journal.append([record]);
  await journal.close();
  return dir;
}

const NOTHING = {
  ...{ lost: [], repeated: [], moved: [], unacknowledged: [], unlearned: [] },
  ...{ emptyUpdates: 0, lostRecords: 0 },
};

test('a journal as it should be, with events of before the storm in it', async (t) => {
  const records = [
    event('old'),
    learn(1),
    event('run-0'),
    event('run-1'),
    learn(3),
    event('run-2'),
    learn(4),
    learn(6),
  ];
  const acknowledged = new Map([
    ['run-0', 3],
    ['run-1', 4],
    ['run-2', 6],
  ]);
  assert.deepEqual(await examineJournal(await journalOf(t, records), acknowledged, 'run'), {
    events: 3,
    ...NOTHING,
  });
});

test('every kind of fault is found', async (t) => {
  const records = [
    ...[event('run-0'), event('run-1'), learn(2), learn(2), event('run-1'), event('run-3'), { type: 'lost' }],
    ...[event('run-4'), learn(6)],
  ];
  const acknowledged = new Map([
    ['run-0', 1],
    ['run-1', 2],
    ['run-2', 9],
    ['run-4', 7],
  ]);
  assert.deepEqual(await examineJournal(await journalOf(t, records), acknowledged, 'run'), {
    events: 4,
    lost: ['run-2'],
    repeated: ['run-1'],
    moved: ['run-4'],
    unacknowledged: ['run-3'],
    unlearned: ['run-4'],
    emptyUpdates: 1,
    lostRecords: 1,
  });
});

test('states: one bit of one tensor is found, and a tensor that is missing', async (t) => {
  const dir = await temporary(t);
  const [one, same, other] = ['one', 'same', 'other'].map((name) => join(dir, name));
  await writeTinyCheckpoint(one!);
  await cp(one!, same!, { recursive: true });
  const alike = await compareStates(one!, same!);
  assert(alike.tensors >= 2);
  assert.deepEqual(alike.different, []);
  const checkpoint = await readCheckpoint(one!);
  const [[name, tensor]] = [...checkpoint.tensors] as [
    [string, typeof checkpoint.tensors extends Map<string, infer T> ? T : never],
  ];
  new Uint8Array(tensor.data.buffer, tensor.data.byteOffset)[5]! ^= 1;
  await cp(one!, other!, { recursive: true });
  const { manifest, config, catalogue } = checkpoint;
  const tensors = new Map([
    ...checkpoint.tensors,
    ['more', { dtype: 'F32', shape: [1], data: Float32Array.of(0) } as const],
  ]);
  await writeCheckpoint(other!, {
    manifest,
    config,
    catalogue,
    tensors,
    trainedEvents: BigUint64Array.of(5n),
  });
  assert.deepEqual(
    [...(await compareStates(one!, other!)).different].sort(),
    [name, 'more', 'trained events'].sort(),
  );
});

test('each fault has its line', () => {
  const found = {
    journal: {
      ...{ events: 9, lost: ['a'], repeated: ['b', 'c'], moved: ['d'], unacknowledged: ['e'] },
      ...{ unlearned: ['f', 'g', 'h'], emptyUpdates: 4, lostRecords: 5 },
    },
    ...{
      unreached: ['journal.rolled'],
      renumbered: ['i'],
      learned: { killed: 10, replayed: 8 },
      state: { tensors: 7, different: ['w'] },
    },
  };
  assert.deepEqual(
    chaosFaults(found as unknown as ChaosResult).map(([, count]) => count),
    [1, 2, 2, 1, 3, 4, 5, 1, 2, 1],
  );
});
