import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { estimateOffPolicy } from '../../../src/evaluation/off-policy/estimate.js';
import { ESTIMATORS } from '../../../src/evaluation/off-policy/estimators.js';
import { REAL, without } from '../../data/helpers.js';
import { openBandit } from './open-bandit.js';

for (const campaign of ['men', 'women'])
  test(`Open Bandit, ${campaign}: the click rate of the learned policy, from the uniform log, agrees with its own`, {
    skip: without('open-bandit-small'),
  }, async (t) => {
    const { lists, rate, impressions } = await openBandit(join(REAL, 'open-bandit-small'), campaign);
    assert.deepEqual([lists.length, impressions], [10_000, 10_000]);
    const { estimates, coverage, logged, effectiveSize } = estimateOffPolicy(lists, {
      weighting: 'cascade',
      resamples: 2000,
      seed: 1,
    });
    assert(coverage.low < 1 && coverage.high > 1, `mean weight ${coverage.low} to ${coverage.high}`);
    t.diagnostic(`own ${rate}, logged ${logged.mean}, effective size ${effectiveSize}`);
    const own = 1.96 * Math.sqrt((rate * (1 - rate)) / impressions);
    for (const name of ESTIMATORS) {
      const { mean, low, high } = estimates[name];
      t.diagnostic(`${name} ${mean} [${low}, ${high}]`);
      assert(
        Math.abs(mean - rate) <= Math.hypot(own, (high - low) / 2),
        `${name}: ${mean}, on its own traffic ${rate}`,
      );
    }
  });
