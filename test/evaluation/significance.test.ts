import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootstrap, pairedDifference } from '../../src/evaluation/significance.js';
import { Random } from '../../src/random.js';
import { close } from './fixture.js';

const random = new Random(9);
const hits = Float32Array.from({ length: 400 }, () => (random.uniform() < 0.3 ? 1 : 0));

test('the same seed gives the same interval, another seed another', () => {
  const run = (seed: number) => bootstrap(new Map([['hr@10', hits]]), { seed }).get('hr@10')!;
  assert.deepEqual(run(1), run(1));
  assert.notDeepEqual(run(1), run(2));
});

test('the interval agrees with the normal approximation', () => {
  const { mean, low, high } = bootstrap(new Map([['hr@10', hits]])).get('hr@10')!;
  const half = 1.96 * Math.sqrt((mean * (1 - mean)) / hits.length);
  assert.ok(close(mean - low, half, half / 10) && close(high - mean, half, half / 10));
});

test('constant values have an interval of no width; no users, zeros', () => {
  assert.deepEqual(bootstrap(new Map([['x', new Float32Array(5).fill(0.5)]])).get('x'), {
    mean: 0.5,
    low: 0.5,
    high: 0.5,
  });
  assert.deepEqual(bootstrap(new Map([['x', new Float32Array(0)]])).get('x'), { mean: 0, low: 0, high: 0 });
});

test('a paired difference is much narrower than the two intervals where users differ more than models', () => {
  const better = hits.map((hit, i) => (i % 20 === 0 ? 1 : hit));
  const { mean, low, high } = pairedDifference(new Map([['x', better]]), new Map([['x', hits]])).get('x')!;
  const alone = bootstrap(new Map([['x', hits]])).get('x')!;
  assert.ok(mean > 0 && low > 0);
  assert.ok(high - low < (alone.high - alone.low) / 2);
});

test('a model against itself differs by exactly nothing', () => {
  const columns = new Map([['x', hits]]);
  assert.deepEqual(pairedDifference(columns, columns).get('x'), { mean: 0, low: 0, high: 0 });
});

test('columns share the draws: intervals of equal columns are equal', () => {
  const result = bootstrap(
    new Map([
      ['x', hits],
      ['y', hits.slice()],
    ]),
  );
  assert.deepEqual(result.get('x'), result.get('y'));
});
