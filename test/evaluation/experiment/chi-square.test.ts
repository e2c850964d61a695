import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { chiSquareTail, goodnessOfFit } from '../../../src/evaluation/experiment/chi-square.js';

/** Percentage points of printed tables: degrees of freedom, x, P(X ≥ x). */
const PRINTED = [
  [1, 3.841459, 0.05],
  [1, 10.827566, 0.001],
  [2, 5.991465, 0.05],
  [3, 7.814728, 0.05],
  [4, 13.276704, 0.01],
  [5, 20.515006, 0.001],
  [10, 18.307038, 0.05],
  [99, 123.225221, 0.05],
] as const;

describe('chi-square', () => {
  for (const [freedom, x, p] of PRINTED)
    test(`P(X ≥ ${x}) is ${p} with ${freedom} degrees of freedom`, () => {
      const found = chiSquareTail(x, freedom);
      assert(Math.abs(found - p) < 2e-6 * Math.max(1, p / 1e-3), `${found}`);
    });

  test('nothing is certain at 0, and nothing is left far out', () => {
    for (const freedom of [1, 2, 7, 40]) {
      assert.equal(chiSquareTail(0, freedom), 1);
      assert(chiSquareTail(1e6, freedom) < 1e-100);
    }
  });

  test('it falls with x, rises with the degrees of freedom, and is a probability', () => {
    const x = fc.double({ min: 0, max: 300, noNaN: true });
    fc.assert(
      fc.property(x, x, fc.integer({ min: 1, max: 60 }), (a, b, freedom) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        const [more, less] = [chiSquareTail(low, freedom), chiSquareTail(high, freedom)];
        assert(less <= more + 1e-6 && more <= 1 && less >= 0);
        assert(chiSquareTail(low, freedom + 1) >= more - 1e-6);
      }),
    );
  });

  test('500 and 560 users of equal shares: χ² = 60² / 2 / 530', () => {
    const { chiSquare, p } = goodnessOfFit([500, 560], [0.5, 0.5]);
    assert(Math.abs(chiSquare - 3600 / 2 / 530) < 1e-12);
    assert(Math.abs(p - 0.0653) < 1e-4, `${p}`);
  });
});
