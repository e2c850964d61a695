import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { learningRate } from '../../src/training/schedule.js';
import { optimizerSchema } from '../../src/training/schema.js';
import { assertClose } from '../suites/assertions.js';

const at = (config: object, steps: number[], total: number): number[] =>
  steps.map((step) => learningRate(optimizerSchema.parse({ learningRate: 0.1, ...config }), step, total));

test('constant, after a warm-up that rises from peak / n to the peak', () => {
  assertClose(at({}, [1, 50, 100], 100), [0.1, 0.1, 0.1], 'no warm-up', 1e-12);
  assertClose(at({ warmupSteps: 4 }, [1, 2, 4, 5, 100], 100), [0.025, 0.05, 0.1, 0.1, 0.1], 'warm-up', 1e-12);
});

test('linear and cosine decay reach the final fraction at the last step', () => {
  const linear = { decay: 'linear', finalFraction: 0.2, warmupSteps: 10 };
  assertClose(at(linear, [10, 60, 110], 110), [0.1, 0.06, 0.02], 'linear', 1e-12);
  const cosine = { ...linear, decay: 'cosine' };
  assertClose(
    at(cosine, [10, 35, 60, 110], 110),
    [0.1, 0.02 + 0.08 * (0.5 + Math.SQRT1_2 / 2), 0.06, 0.02],
    'cosine',
    1e-12,
  );
  assertClose(
    at({ decay: 'linear', finalFraction: 0 }, [100, 130], 100),
    [0, 0],
    'never below the end',
    1e-12,
  );
});

test('the rate never leaves 0 … peak, and never rises after the warm-up', () => {
  const config = fc.record({
    decay: fc.constantFrom('constant', 'linear', 'cosine'),
    finalFraction: fc.double({ min: 0, max: 1, noNaN: true }),
    warmupSteps: fc.nat({ max: 20 }),
  });
  fc.assert(
    fc.property(config, fc.integer({ min: 1, max: 30 }), (options, total) => {
      const rates = at(
        options,
        Array.from({ length: total }, (_, i) => i + 1),
        total,
      );
      for (const [i, rate] of rates.entries()) {
        assert.ok(rate >= 0 && rate <= 0.1 + 1e-12, `step ${i + 1}: ${rate}`);
        if (i >= options.warmupSteps && i > 0)
          assert.ok(rate <= rates[i - 1]! + 1e-12, `step ${i + 1} rises`);
      }
    }),
  );
});
