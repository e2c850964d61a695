import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Space } from '../../../src/commands/tune/schema.js';
import { drawTrials, extremesOf, sizeOf } from '../../../src/commands/tune/space.js';

const range = (min: number, max: number, more: { scale?: 'linear' | 'log'; integer?: boolean } = {}) => ({
  min,
  max,
  scale: 'linear' as const,
  integer: false,
  ...more,
});

const ranges = fc
  .record({
    a: fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
    b: fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
    scale: fc.constantFrom('linear' as const, 'log' as const),
    integer: fc.boolean(),
  })
  .map(({ a, b, scale, integer }) => range(Math.min(a, b), Math.max(a, b), { scale, integer }))
  .filter(({ min, max, integer }) => !integer || Math.floor(max) >= Math.ceil(min));
const spaces: fc.Arbitrary<Space> = fc.dictionary(
  fc.string({ minLength: 1 }),
  fc.oneof(ranges, fc.array(fc.jsonValue(), { minLength: 1, maxLength: 4 })),
  { minKeys: 1, maxKeys: 3 },
);
const seeds = fc.nat();

test('every value lies in its dimension; a whole number where one is asked for', () => {
  fc.assert(
    fc.property(spaces, seeds, (space, seed) => {
      for (const values of drawTrials(space, seed, 5)) {
        assert.deepEqual(Object.keys(values), Object.keys(space));
        for (const [key, dimension] of Object.entries(space)) {
          const value = values[key];
          if (Array.isArray(dimension)) assert.ok(dimension.includes(value));
          else {
            assert.ok(typeof value === 'number' && value >= dimension.min && value <= dimension.max);
            if (dimension.integer) assert.ok(Number.isInteger(value));
          }
        }
      }
    }),
    { numRuns: 100 },
  );
});

test('the list is a function of the file, and more trials leave its beginning as it was', () => {
  fc.assert(
    fc.property(spaces, seeds, (space, seed) => {
      const trials = drawTrials(space, seed, 8);
      assert.deepEqual(drawTrials(space, seed, 8), trials);
      assert.deepEqual(drawTrials(space, seed, 3), trials.slice(0, 3));
    }),
    { numRuns: 50 },
  );
});

test('a small space is drawn through, no trial twice', () => {
  const space: Space = { a: [1, 2, 2], b: ['x', { y: 1 }], c: range(3, 5, { integer: true }) };
  assert.equal(sizeOf(space), 12);
  const trials = drawTrials(space, 7, 100);
  assert.equal(trials.length, 12);
  assert.equal(new Set(trials.map((values) => JSON.stringify(values))).size, 12);
});

test('another seed gives other trials', () => {
  const space: Space = { rate: range(1e-4, 1e-1, { scale: 'log' }) };
  assert.notDeepEqual(drawTrials(space, 1, 3), drawTrials(space, 2, 3));
});

test('a log scale draws every order of magnitude as often, and each whole number has its share', () => {
  const rates = drawTrials({ rate: range(1e-4, 1e-1, { scale: 'log' }) }, 5, 900).map(({ rate }) =>
    Math.floor(Math.log10(rate as number)),
  );
  for (const order of [-4, -3, -2]) {
    const share = rates.filter((found) => found === order).length / rates.length;
    assert.ok(Math.abs(share - 1 / 3) < 0.06, `10^${order}: ${share}`);
  }
  const pairs = drawTrials({ n: range(1, 4, { integer: true }), x: range(0, 1) }, 5, 800);
  for (const n of [1, 2, 3, 4]) {
    const share = pairs.filter((values) => values.n === n).length / pairs.length;
    assert.ok(Math.abs(share - 1 / 4) < 0.06, `${n}: ${share}`);
  }
});

test('a range of one number has one trial', () => {
  assert.deepEqual(drawTrials({ a: range(0.5, 0.5) }, 1, 9), [{ a: 0.5 }]);
  assert.deepEqual(extremesOf(range(0.5, 3.2, { integer: true })), [1, 3]);
});
