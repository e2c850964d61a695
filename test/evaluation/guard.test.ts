import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventHashes } from '../../src/data/events.js';
import { countLeaks, refuseTrainedOnTest, type TrainedCheckpoint } from '../../src/evaluation/guard.js';
import { makeDataset, type Row } from './fixture.js';

const at = (time: number) => ({ time });
const evaluated: Row[] = [
  ['u', 'a', 'train', at(1)],
  ['u', 'b', 'train', at(2)],
  ['u', 'c', 'test', at(3)],
  ['v', 'a', 'train', at(4)],
  ['v', 'd', 'test', at(5)],
];
const items = ['a', 'b', 'c', 'd'];

function trainedOn(rows: readonly Row[], testSetHash: string): TrainedCheckpoint {
  return {
    path: 'runs/tuned',
    trainedEvents: eventHashes(makeDataset(rows), 'train'),
    manifest: {
      stage: 'finetune',
      dataset: { path: 'data/tuning', testSetHash: 'test set' },
      lineage: [{ stage: 'pretrain', path: 'runs/teacher', dataset: { path: 'data/other', testSetHash } }],
    },
  };
}

test('a model trained on train rows alone passes, with any numbering of users and items', () => {
  const rows = evaluated.filter(([, , part]) => part === 'train').toReversed();
  refuseTrainedOnTest(trainedOn(rows, 'test set'), makeDataset(evaluated, { items }));
});

test('a model that saw a test row is refused with the number and the ancestor', () => {
  const rows: Row[] = [...evaluated.filter(([, , part]) => part === 'train'), ['v', 'd', 'train', at(5)]];
  assert.throws(() => refuseTrainedOnTest(trainedOn(rows, 'another'), makeDataset(evaluated, { items })), {
    code: 'LEAK',
    message:
      'runs/tuned was trained on 1 of the 2 test rows of /tiny; trained with another test set: pretrain runs/teacher (dataset data/other)',
  });
});

test('the same pair at another time is no leak', () => {
  refuseTrainedOnTest(trainedOn([['v', 'd', 'train', at(4)]], 'test set'), makeDataset(evaluated, { items }));
});

test('a held-out row that repeats a train row proves nothing', () => {
  const repeated: Row[] = [...evaluated, ['v', 'a', 'test', at(4)]];
  const data = makeDataset(repeated, { items });
  refuseTrainedOnTest({ ...trainedOn([], 'test set'), trainedEvents: eventHashes(data, 'train') }, data);
});

test('evaluating on validation guards the validation rows', () => {
  const data = makeDataset([
    ['u', 'a', 'train', at(1)],
    ['u', 'b', 'validation', at(2)],
    ['u', 'c', 'test', at(3)],
  ]);
  const checkpoint = { ...trainedOn([], 'test set'), trainedEvents: eventHashes(data, 'validation') };
  refuseTrainedOnTest(checkpoint, data, 'test');
  assert.throws(() => refuseTrainedOnTest(checkpoint, data, 'validation'), {
    code: 'LEAK',
    message: /1 of the 1 validation rows/,
  });
});

test('counting in sorted lists', () => {
  const list = (...values: number[]): BigUint64Array => BigUint64Array.from(values, BigInt);
  assert.equal(countLeaks(list(1, 3, 5, 9), list(2, 3, 4, 5, 6), list(5)), 1);
  assert.equal(countLeaks(list(), list(1), list()), 0);
  assert.equal(countLeaks(list(1, 1), list(1), list()), 2);
});
