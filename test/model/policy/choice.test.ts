import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { choose, type Open, propensities, propensityOf } from '../../../src/model/policy/choice.js';
import { type Policy, policySchema } from '../../../src/model/policy/schema.js';
import { Random } from '../../../src/random.js';

const policy = (given: object): Policy => policySchema.parse(given);
const open = (worth: readonly number[], counts = worth.map(() => 0)): Open => ({
  worth: Float64Array.from(worth),
  counts: Float64Array.from(counts),
});
const near = (found: ArrayLike<number>, expected: readonly number[], tolerance = 1e-12): void => {
  assert.equal(found.length, expected.length);
  for (const [i, value] of expected.entries())
    assert(Math.abs(found[i]! - value) <= tolerance, `${i}: ${found[i]} instead of ${value}`);
};

test('epsilon-greedy: a share of epsilon for each, and the rest for the best, by hand', () => {
  near(
    propensities(policy({ kind: 'epsilon-greedy', epsilon: 0.2 }), open([1, 3, 3, 0])),
    [0.05, 0.85, 0.05, 0.05],
  );
  near(propensities(policy({ kind: 'epsilon-greedy', epsilon: 1 }), open([1, 3])), [0.5, 0.5]);
});

test('softmax: by hand, also of scores that have no exponential', () => {
  const logs = open([Math.log(1), Math.log(2), Math.log(5)]);
  near(propensities(policy({ kind: 'softmax' }), logs), [1 / 8, 2 / 8, 5 / 8]);
  near(propensities(policy({ kind: 'softmax', temperature: 0.5 }), logs), [1 / 30, 4 / 30, 25 / 30]);
  near(propensities(policy({ kind: 'softmax' }), open([1e6, 1e6, -1e6])), [0.5, 0.5, 0]);
});

test('thompson: of two the difference of two Gaussians decides, by hand', () => {
  // Deviations 2/√1 = 2 and 2/√4 = 1: the difference has deviation √5, and Φ(1/√5) = 0.67264.
  const two = propensities(policy({ kind: 'thompson', temperature: 2 }), open([1, 0], [0, 3]));
  near(two, [0.672_639_6, 0.327_360_4], 1e-6);
  near(propensities(policy({ kind: 'thompson' }), open([0, 0, 0, 0])), [0.25, 0.25, 0.25, 0.25], 1e-6);
  // One that is known well beside one that is not: a step in the integrand.
  near(propensities(policy({ kind: 'thompson' }), open([0, 0], [1e12, 0])), [0.5, 0.5], 1e-6);
});

const anyPolicy = fc.record({
  kind: fc.constantFrom('none' as const, 'epsilon-greedy' as const, 'softmax' as const, 'thompson' as const),
  epsilon: fc.double({ min: 0.01, max: 1, noNaN: true }),
  temperature: fc.double({ min: 0.05, max: 5, noNaN: true }),
});
const anyOpen = fc
  .array(fc.tuple(fc.double({ min: -6, max: 6, noNaN: true }), fc.integer({ min: 0, max: 5000 })), {
    minLength: 1,
    maxLength: 12,
  })
  .map((items) =>
    open(
      items.map(([worth]) => worth),
      items.map(([, count]) => count),
    ),
  );

test('probabilities are 0 to 1 and sum to 1, and the chosen item has its own', () => {
  fc.assert(
    fc.property(anyPolicy, anyOpen, fc.integer(), (of, among, seed) => {
      const all = propensities(of, among);
      assert(
        all.every((one) => one >= 0 && one <= 1),
        `${all}`,
      );
      const total = all.reduce((sum, one) => sum + one, 0);
      assert(Math.abs(total - 1) < 1e-5, `${total}`);
      const { at, propensity } = choose(of, among, new Random(seed));
      assert.equal(propensity, propensityOf(of, among, at));
      assert(propensity > 0, `chose what has probability ${propensity}`);
    }),
    { numRuns: 300 },
  );
});

test('what is chosen is as frequent as its probability says', () => {
  const among = open([0.3, 1, -0.5, 0.9], [0, 20, 3, 1]);
  const draws = 20_000;
  for (const kind of ['none', 'epsilon-greedy', 'softmax', 'thompson'] as const) {
    const of = policy({ kind, epsilon: 0.3, temperature: 0.7 });
    const counts = [0, 0, 0, 0];
    const random = new Random(5);
    for (let i = 0; i < draws; i++) counts[choose(of, among, random).at]!++;
    for (const [at, p] of propensities(of, among).entries()) {
      // Five standard errors.
      const bound = 5 * Math.sqrt((p * (1 - p)) / draws) + 1e-9;
      assert(Math.abs(counts[at]! / draws - p) <= bound, `${kind} ${at}: ${counts[at]! / draws}, ${p}`);
    }
  }
});
