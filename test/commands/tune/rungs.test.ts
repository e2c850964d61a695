import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { halvingRungs } from '../../../src/commands/tune/rungs.js';

test('successive halving of 27 trials with eta 3', () => {
  assert.deepEqual(halvingRungs(27, 3, 1, 27), [
    { trials: 27, epochs: 1 },
    { trials: 9, epochs: 3 },
    { trials: 3, epochs: 9 },
    { trials: 1, epochs: 27 },
  ]);
});

test('few epochs, or a late first rung, leave more survivors', () => {
  assert.deepEqual(halvingRungs(27, 3, 5, 20), [
    { trials: 27, epochs: 6 },
    { trials: 9, epochs: 20 },
  ]);
  assert.deepEqual(halvingRungs(2, 3, 1, 20), [{ trials: 2, epochs: 20 }]);
  assert.deepEqual(halvingRungs(9, 3, 8, 4), [{ trials: 9, epochs: 4 }]);
});

test('rungs: fewer trials for more epochs each time, all trials first, all epochs last', () => {
  const natural = (max: number) => fc.integer({ min: 1, max });
  fc.assert(
    fc.property(
      natural(500),
      fc.integer({ min: 2, max: 9 }),
      natural(20),
      natural(500),
      (trials, eta, least, most) => {
        const rungs = halvingRungs(trials, eta, least, most);
        assert.equal(rungs[0]!.trials, trials);
        assert.equal(rungs.at(-1)!.epochs, most);
        rungs.slice(1).forEach((rung, index) => {
          const before = rungs[index]!;
          assert.ok(before.epochs >= least && before.epochs < rung.epochs);
          assert.equal(rung.trials, Math.floor(before.trials / eta));
          assert.ok(rung.trials >= 1);
        });
      },
    ),
  );
});
