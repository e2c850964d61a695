import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ItemMeans } from '../../../src/evaluation/off-policy/direct.js';
import { estimateOffPolicy } from '../../../src/evaluation/off-policy/estimate.js';
import {
  addList,
  estimates,
  type LoggedList,
  noSums,
  type Step,
  type Weighting,
} from '../../../src/evaluation/off-policy/estimators.js';
import { syntheticBandit } from './synthetic.js';

const step = (logged: number, target: number, reward: number, expected = 0, expectedOfTarget = 0): Step => ({
  ...{ logged, target, reward, expected, expectedOfTarget },
});
const found = (lists: readonly LoggedList[], weighting: Weighting) => {
  const sums = noSums();
  for (const list of lists) addList(sums, list, weighting);
  return estimates(sums);
};
const near = (a: number, b: number, tolerance = 1e-12) =>
  assert(Math.abs(a - b) <= tolerance * Math.max(1, Math.abs(b)), `${a} instead of ${b}`);

test('one place: IPS, SNIPS and DR by hand', () => {
  const lists = [
    { user: 'a', steps: [step(0.5, 0.25, 1, 0.5, 0.3)] },
    { user: 'b', steps: [step(0.25, 0.5, 1, 0.2, 0.3)] },
    { user: 'c', steps: [step(0.5, 0.25, 0, 0.4, 0.3)] },
  ];
  const { ips, snips, dr } = found(lists, 'cascade');
  // Weights .5, 2, .5.
  near(ips, 2.5 / 3);
  near(snips, 2.5 / 3);
  near(dr, (0.3 + 0.5 * 0.5 + (0.3 + 2 * 0.8) + (0.3 + 0.5 * -0.4)) / 3);
});

test('two places: a cascade multiplies the ratios, places alone do not; a place that few lists have counts for those', () => {
  const lists = [
    { user: 'a', steps: [step(0.5, 1, 0), step(0.5, 0.25, 1, 0.1, 0.2)] },
    { user: 'b', steps: [step(0.5, 0.5, 1)] },
  ];
  const cascade = found(lists, 'cascade');
  near(cascade.ips, (2 * 0.5 * 1 + 1) / 2);
  near(cascade.snips, 1 / 3 + 1 * 0.5);
  near(cascade.dr, (2 * 0.2 + 1 * 0.9 + 1) / 2);
  near(found(lists, 'place').ips, (0.5 + 1) / 2);
  near(found(lists, 'place').dr, (0.2 + 0.5 * 0.9 + 1) / 2);
});

test('of the logging policy itself all three are what was earned; whatever is expected, where it is of no item', () => {
  const lists = fc.array(
    fc.record({
      user: fc.constantFrom('a', 'b', 'c'),
      steps: fc.array(
        fc.tuple(
          fc.double({ min: 0.01, max: 1, noNaN: true }),
          fc.double({ min: 0, max: 5, noNaN: true }),
          fc.double({ min: 0, max: 1, noNaN: true }),
        ),
        { minLength: 1, maxLength: 4 },
      ),
    }),
    { minLength: 1, maxLength: 20 },
  );
  fc.assert(
    fc.property(lists, fc.constantFrom('cascade' as const, 'place' as const), (given, weighting) => {
      const logged = given.map(({ user, steps }) => ({
        user,
        steps: steps.map(([p, reward, q]) => step(p, p, reward, q, q)),
      }));
      const earned = given.flatMap(({ steps }) => steps.map(([, reward]) => reward));
      const mean = earned.reduce((sum, one) => sum + one, 0) / given.length;
      const { ips, snips, dr } = found(logged, weighting);
      for (const value of [ips, snips, dr]) near(value, mean, 1e-9);
    }),
  );
});

test('means of items are shrunk to their place’s, and know nothing of the user’s own part', () => {
  const shown = Array.from({ length: 40 }, (_, n) => [
    { user: `u${n}`, item: 'good', place: 0, reward: 1 },
    { user: `u${n}`, item: 'bad', place: 0, reward: 0 },
  ]).flat();
  const means = new ItemMeans(shown);
  assert(means.expected('u1', 'good', 0) > 0.6 && means.expected('u1', 'good', 0) < 1);
  near(means.expected('u1', 'good', 0) + means.expected('u1', 'bad', 0), 1);
  near(means.expected('u1', 'never shown', 0), 0.5);
  near(means.expected('u1', 'never shown', 3), 0);
  // What a user's own lists earned changes nothing of what is expected of them.
  const richer = new ItemMeans([...shown, { user: 'u1', item: 'good', place: 0, reward: 100 }]);
  assert.equal(richer.expected('u1', 'good', 0), means.expected('u1', 'good', 0));
});

test('a logged bandit of known value: IPS and DR are unbiased, SNIPS nearly; SNIPS and DR vary less; intervals cover', () => {
  const runs = 400;
  const values: Record<'ips' | 'snips' | 'dr', number[]> = { ips: [], snips: [], dr: [] };
  const covered = { ips: 0, snips: 0, dr: 0 };
  const { truth } = syntheticBandit(0);
  for (let seed = 0; seed < runs; seed++) {
    const { lists } = syntheticBandit(seed);
    const { estimates: of, coverage } = estimateOffPolicy(lists, {
      weighting: 'cascade',
      resamples: 200,
      seed,
    });
    for (const name of ['ips', 'snips', 'dr'] as const) {
      values[name].push(of[name].mean);
      if (of[name].low <= truth && truth <= of[name].high) covered[name]++;
    }
    assert(coverage.low < 1.15 && coverage.high > 0.85, `${coverage.low} ${coverage.high}`);
  }
  const mean = (x: number[]) => x.reduce((sum, one) => sum + one, 0) / x.length;
  const variance = (x: number[]) => mean(x.map((one) => (one - mean(x)) ** 2));
  for (const name of ['ips', 'dr'] as const) {
    const error = Math.sqrt(variance(values[name]) / runs);
    assert(
      Math.abs(mean(values[name]) - truth) < 4 * error,
      `${name}: ${mean(values[name])}, ${truth} ± ${error}`,
    );
  }
  assert(Math.abs(mean(values.snips) - truth) < 0.02 * truth, `${mean(values.snips)} ${truth}`);
  assert(variance(values.snips) < 0.9 * variance(values.ips), 'SNIPS');
  assert(variance(values.dr) < 0.9 * variance(values.ips), 'DR');
  for (const [name, count] of Object.entries(covered))
    assert(count / runs > 0.9 && count / runs < 0.985, `${name} covers ${count / runs}`);
});

test('of few users the intervals are normal approximations over lists, and cover as well', () => {
  const runs = 300;
  const covered = { ips: 0, snips: 0, dr: 0 };
  const { truth } = syntheticBandit(0);
  for (let seed = 0; seed < runs; seed++) {
    const lists = syntheticBandit(seed).lists.map((list, n) => ({ ...list, user: `${n % 3}` }));
    const { estimates: of, intervals } = estimateOffPolicy(lists, {
      weighting: 'cascade',
      resamples: 1,
      seed,
    });
    assert.equal(intervals, 'normal');
    for (const name of ['ips', 'snips', 'dr'] as const)
      if (of[name].low <= truth && truth <= of[name].high) covered[name]++;
  }
  for (const [name, count] of Object.entries(covered))
    assert(count / runs > 0.9 && count / runs < 0.985, `${name} covers ${count / runs}`);
});

test('effective size and largest weight, by hand', () => {
  const lists = [
    { user: 'a', steps: [step(0.5, 0.5, 1), step(0.5, 1, 0)] },
    { user: 'b', steps: [step(0.25, 0.5, 1), step(0.5, 0.25, 0)] },
  ];
  const options = { resamples: 10, seed: 1 };
  // Whole lists weigh 2 and 1, the places 1, 2, 2 and .5.
  const cascade = estimateOffPolicy(lists, { ...options, weighting: 'cascade' });
  near(cascade.effectiveSize, 9 / 5);
  near(cascade.largestWeight, 2);
  near(estimateOffPolicy(lists, { ...options, weighting: 'place' }).effectiveSize, 5.5 ** 2 / 9.25);
});
