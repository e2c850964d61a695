import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Comparison, type Verdict } from '../../../src/online/guard/comparison.js';
import { guardSchema } from '../../../src/online/guard/schema.js';
import type { Ranked } from '../../../src/online/prequential.js';
import { Random } from '../../../src/random.js';

const config = guardSchema.parse({}).comparison;
const ranked = (logLoss: number, rank = 5): Ranked => ({ rank, logLoss });

/** Events of 50 users on which the frozen model's log-loss is about 4 and what is served `worse` above it. */
function run(
  worse: (n: number) => number,
  count: number,
  seed: number,
): { comparison: Comparison; states: string[] } {
  const comparison = new Comparison(config, true);
  const random = Random.of(seed, 'comparison');
  const states: string[] = [];
  for (let n = 0; n < count; n++) {
    const frozen = 4 + random.normal();
    const served = frozen + worse(n) + random.normal();
    if (comparison.add(`user${n % 50}`, ranked(served), ranked(frozen)))
      states.push(comparison.verdict().state);
  }
  return { comparison, states };
}

test('each user counts once: hand-computed', () => {
  const comparison = new Comparison({ ...config, minimumEvents: 4, minimumUsers: 2 }, true);
  comparison.add('a', ranked(3, 1), ranked(1, 3));
  comparison.add('a', ranked(5, 1), ranked(1, 3));
  comparison.add('a', { rank: 1, logLoss: Number.NaN }, ranked(1, 3));
  comparison.add('b', ranked(1, 3), ranked(1, 1));
  const { logLoss, ndcg, events, users, state } = comparison.verdict();
  // a: 3 nats and 1 − 1/2, b: 0 and 1/2 − 1.
  assert.deepEqual([logLoss.mean, ndcg.mean, events, users], [1.5, 0, 4, 2]);
  // Variance of the mean of two: ((1.5² + 1.5²) · 2 / 1) / 2².
  assert(Math.abs(logLoss.low - (1.5 - 1.96 * 1.5)) < 1e-12, `${logLoss.low}`);
  assert.equal(state, 'doubtful');
});

test('few events say nothing; a model that is the same is not found worse in 100 streams of 5,000 events', () => {
  assert.equal(run(() => 9, 150, 0).comparison.verdict().state, 'few');
  const alarms = Array.from({ length: 100 }, (_, seed) => run(() => 0, 5000, seed).states.includes('worse'));
  assert(alarms.filter(Boolean).length <= 2, `${alarms.filter(Boolean).length} of 100`);
});

test('a quarter of a nat is found within 1,000 events, and one that is better never', () => {
  for (let seed = 0; seed < 20; seed++) {
    const { states } = run((n) => (n < 2000 ? 0 : 0.25), 3000, seed);
    const at = states.indexOf('worse');
    assert(at >= 0 && at * 50 + 50 <= 3000, `${seed}: ${at * 50 + 50}`);
    assert(!run(() => -0.2, 2000, seed).states.some((state) => state !== 'few' && state !== 'fine'));
  }
});

test('a flood of one user does not hide that the others are served worse', () => {
  const comparison = new Comparison(config, true);
  let found: Verdict | undefined;
  for (let n = 0; n < 1000; n++) {
    const attacks = n % 4 !== 0;
    const user = attacks ? 'attacker' : `user${n % 40}`;
    // What it sends again and again, a spoiled model ranks well.
    if (comparison.add(user, attacks ? ranked(0.1, 1) : ranked(5, 9), attacks ? ranked(6, 90) : ranked(4, 3)))
      found = comparison.verdict();
  }
  assert.deepEqual([found!.state, found!.users], ['few', 11], 'too few users');
  const several = new Comparison({ ...config, minimumUsers: 10 }, true);
  for (let n = 0; n < 1000; n++) {
    const attacks = n % 4 !== 0;
    several.add(
      attacks ? 'attacker' : `user${n % 40}`,
      attacks ? ranked(0.1, 1) : ranked(5, 9),
      attacks ? ranked(6, 90) : ranked(4, 3),
    );
  }
  assert.equal(several.verdict().ndcg.mean < 0, true);
  assert.equal(several.verdict().logLoss.mean > 0, true);
});

test('without a softmax the log-loss says nothing, and the lists do', () => {
  const of = (served: Ranked, frozen: Ranked): string => {
    const comparison = new Comparison(config, false);
    for (let n = 0; n < 500; n++) comparison.add(`user${n % 50}`, served, frozen);
    return comparison.verdict().state;
  };
  assert.equal(of(ranked(9), ranked(1)), 'fine');
  assert.equal(of(ranked(1, 20), ranked(1, 2)), 'worse');
});
