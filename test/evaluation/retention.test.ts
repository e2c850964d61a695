import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Measured } from '../../src/evaluation/contender.js';
import { checkReference, pairedRatio, retentionOf } from '../../src/evaluation/retention.js';
import { Random } from '../../src/random.js';

const random = new Random(3);
const users = Float32Array.from({ length: 500 }, () => random.uniform());

test('a ratio of means: exact where one is a multiple of the other, else around it', () => {
  const half = users.map((x) => x / 2);
  const same = pairedRatio(half, users);
  for (const value of Object.values(same)) assert.ok(Math.abs(value - 0.5) < 1e-6);
  const noisy = users.map((x) => x * (random.uniform() < 0.9 ? 1 : 0));
  const { mean, low, high } = pairedRatio(noisy, users);
  const expected = noisy.reduce((a, b) => a + b) / users.reduce((a, b) => a + b);
  assert.ok(Math.abs(mean - expected) < 1e-9 && low < mean && mean < high && high - low < 0.1);
  // Delta method: the ratio's deviation is that of a − r b over the mean of b.
  const r = mean;
  const b = users.reduce((s, x) => s + x, 0) / 500;
  const square = noisy.reduce((s, x, i) => s + (x - r * users[i]!) ** 2, 0) / 500;
  const half95 = (1.96 * Math.sqrt(square / 500)) / b;
  assert.ok(Math.abs((high - low) / 2 / half95 - 1) < 0.15);
});

function measured(name: string, kind: 'model' | 'baseline', scale: number, bytes: number, weights?: number) {
  const row = { name, kind, metrics: {}, intervals: {}, parameters: 9, bytes, unreachable: 0, weights };
  return { row, perUser: new Map([['ndcg@10', users.map((x) => x * scale)]]) } as Measured;
}

test('each other model keeps its shares of the reference; baselines and the reference itself have none', () => {
  const rows = [
    measured('popularity', 'baseline', 0.1, 4),
    measured('teacher', 'model', 1, 100, 50),
    measured('student', 'model', 0.75, 20, 5),
  ];
  const options = { resamples: 200, seed: 1 };
  const [one, ...rest] = retentionOf(rows, 'teacher', 'ndcg@10', options);
  assert.equal(rest.length, 0);
  assert.equal(one!.row, 'student');
  assert.ok(Math.abs(one!.quality.mean - 0.75) < 1e-6);
  assert.deepEqual([one!.bytes, one!.weights], [0.2, 0.1]);
  assert.deepEqual(retentionOf(rows, undefined, 'ndcg@10', options), []);
  const nothing = [measured('teacher', 'model', 0, 100), measured('student', 'model', 0.75, 20)];
  assert.deepEqual(retentionOf(nothing, 'teacher', 'ndcg@10', options), []);
});

test('a reference that is no model is refused with the nearest one', () => {
  checkReference(undefined, []);
  checkReference('teacher', ['teacher']);
  assert.throws(() => checkReference('teachr', ['teacher', 'student']), {
    code: 'CONFIG_INVALID',
    message: /reference: there is no model "teachr"; did you mean "teacher"/,
  });
});
