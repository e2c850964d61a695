import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparable } from '../../src/evaluation/protocol.js';
import { describeProtocol, leadingMetric } from '../../src/evaluation/summary.js';
import { evaluationTask, type TaskSettings } from '../../src/evaluation/task.js';
import { makeDataset, type Row } from './fixture.js';

const rows: Row[] = [
  ['u', 'a', 'train'],
  ['u', 'b', 'test'],
  ['v', 'c', 'train'],
  ['v', 'a', 'test'],
];
const settings: TaskSettings = { part: 'test', ks: [1, 10], filterSeen: true, seed: 1 };
const protocol = (data = makeDataset(rows), changes: Partial<TaskSettings> = {}) =>
  evaluationTask(data, { ...settings, ...changes }).protocol;

test('a protocol is comparable with itself, whatever the numbering and the lists’ lengths', () => {
  comparable(protocol(), protocol());
  comparable(protocol(), protocol(makeDataset(rows, { items: ['c', 'b', 'a'] })));
  comparable(
    protocol(),
    protocol(makeDataset(rows.toReversed().toSorted((a, b) => a[2].localeCompare(b[2]) * -1))),
  );
  comparable(protocol(), protocol(undefined, { ks: [5] }));
});

test('unlike protocols are refused with the fields and both values', () => {
  assert.throws(() => comparable(protocol(), protocol(undefined, { filterSeen: false })), {
    code: 'PROTOCOL_MISMATCH',
    message: /differ in filterSeen \(true against false\)/,
  });
  assert.throws(() => comparable(protocol(), protocol(undefined, { candidates: 'train' })), {
    code: 'PROTOCOL_MISMATCH',
    message: /candidates \(all against train\), catalogue \(3 against 2\)/,
  });
  assert.throws(() => comparable(protocol(), protocol(undefined, { sampledNegatives: 100 })), {
    message: /sampledNegatives \(none against 100\)/,
  });
  assert.throws(() => comparable(protocol(), protocol(undefined, { maxUsers: 1 })), {
    message: /users \(2 against 1\), querySet/,
  });
});

test('other targets are another question even where their number is equal', () => {
  const changed = rows.map((row): Row => (row[2] === 'test' && row[0] === 'u' ? ['u', 'c', 'test'] : row));
  assert.throws(() => comparable(protocol(), protocol(makeDataset(changed, { items: ['a', 'b', 'c'] }))), {
    message: /querySet/,
  });
});

test('targets that repeat the history are counted', () => {
  const data = makeDataset([...rows, ['w', 'a', 'train'], ['w', 'a', 'test'], ['w', 'b', 'test']]);
  assert.equal(evaluationTask(data, settings).repeatedTargets, 1);
  assert.equal(evaluationTask(makeDataset(rows), settings).repeatedTargets, 0);
});

test('without repeats only what is new to a user is a target, and the rest of the history is seen', () => {
  const data = makeDataset([
    ...rows,
    ['w', 'a', 'train'],
    ['w', 'a', 'test'],
    ['x', 'b', 'train'],
    ['x', 'b', 'test'],
    ['w', 'b', 'test'],
  ]);
  const all = evaluationTask(data, settings);
  const {
    evaluation,
    repeatedTargets,
    protocol: asked,
  } = evaluationTask(data, { ...settings, unseenTargets: true });
  assert.equal(repeatedTargets, 0);
  assert.equal(evaluation.queries.length, all.evaluation.queries.length - 1, 'x has no other target');
  const w = evaluation.queries.findIndex(({ user }) => data.catalogue.users[user] === 'w');
  const names = (items: Int32Array) => Array.from(items, (item) => data.catalogue.items[item]);
  assert.deepEqual(names(evaluation.targets[w]!), ['b']);
  assert.deepEqual(names(evaluation.seen[w]!), ['a']);
  assert.throws(() => comparable(asked, all.protocol), { message: /unseenTargets \(true against none\)/ });
  assert.match(describeProtocol(asked), /those new to the user alone/);
  const repeats = makeDataset([
    ['x', 'b', 'train'],
    ['x', 'b', 'test'],
  ]);
  assert.throws(() => evaluationTask(repeats, { ...settings, unseenTargets: true }), { code: 'DATA_EMPTY' });
});

test('sampled ranking is marked in the sentence and in the metric', () => {
  const sampled = protocol(undefined, { sampledNegatives: 100 });
  assert.match(describeProtocol(sampled), /SAMPLED/);
  assert.equal(leadingMetric('ndcg', sampled), 'ndcg@10 (of 100 sampled)');
  assert.match(describeProtocol(protocol()), /every one of 3 items ranked; seen items removed/);
  assert.equal(leadingMetric('ndcg', protocol(undefined, { ks: [1, 5] })), 'ndcg@5');
});
