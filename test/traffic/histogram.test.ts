import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Histogram } from '../../src/traffic/histogram.js';

/** The smallest value that at least the share q of all does not exceed. */
function exact(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1]!;
}

test('quantiles are within 0.5 % of the exact ones, mean and maximum exact', () => {
  const milliseconds = fc.double({ min: Math.log(1e-3), max: Math.log(1e6), noNaN: true }).map(Math.exp);
  fc.assert(
    fc.property(
      fc.array(milliseconds, { minLength: 1, maxLength: 300 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, q) => {
        const histogram = new Histogram();
        for (const value of values) histogram.add(value);
        const found = histogram.quantile(q);
        assert(Math.abs(found / exact(values, q) - 1) <= 0.00500001, `${found} for ${exact(values, q)}`);
        const { count, mean, max, p50, p90, p99 } = histogram.quantiles();
        assert.equal(count, values.length);
        assert.equal(max, Math.max(...values));
        assert(Math.abs(mean - values.reduce((a, b) => a + b, 0) / count) <= 1e-9 * mean);
        assert(p50 <= p90 && p90 <= p99 && p99 <= max);
      },
    ),
    { numRuns: 300 },
  );
});

test('by hand; values outside the buckets, and none', () => {
  const histogram = new Histogram();
  for (let n = 1; n <= 1000; n++) histogram.add(n);
  const { mean, p50, 'p99.9': rare, max } = histogram.quantiles();
  assert.deepEqual([mean, max], [500.5, 1000]);
  assert(Math.abs(p50 - 500) <= 2.5 && Math.abs(rare - 999) <= 5);
  const curve = histogram.curve();
  assert.deepEqual(curve.at(-1), { share: 1, value: 1000 });
  for (const { share, value } of curve) assert(Math.abs(share * 1000 - value) <= 0.01 * value + 1);
  const far = new Histogram();
  for (const value of [0, 1e-9, 1e12]) far.add(value);
  assert.deepEqual([far.quantile(0), far.quantile(1)], [Math.max(0, far.quantile(0)), 1e12]);
  assert(far.quantile(0.5) < 0.0011);
  assert.deepEqual([new Histogram().quantiles().count, new Histogram().quantile(0.5)], [0, Number.NaN]);
});
