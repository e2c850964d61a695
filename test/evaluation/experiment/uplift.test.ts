import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ExperimentLog, UserTotals } from '../../../src/evaluation/experiment/log.js';
import { estimateUplift } from '../../../src/evaluation/experiment/uplift.js';
import { Random } from '../../../src/random.js';

type Groups = Readonly<Record<string, { readonly share: number; readonly users: readonly UserTotals[] }>>;

const logOf = (groups: Groups): ExperimentLog => ({
  experiment: 'size',
  variants: new Map(
    Object.entries(groups).map(([name, { share, users }]) => [
      name,
      { share, users: new Map(users.map((totals, n) => [`${name}${n}`, totals])) },
    ]),
  ),
  switched: 0,
  outside: 0,
});

const estimate = (groups: Groups, seed = 1) =>
  estimateUplift(logOf(groups), { control: 'control', resamples: 400, seed });

/** Users with one to four lists, each of which earns something with a chance of their own around `mean`. */
function drawn(mean: number, users: number, random: Random): UserTotals[] {
  return Array.from({ length: users }, () => {
    const chance = 2 * mean * random.uniform();
    const lists = 1 + random.int(4);
    let successes = 0;
    for (let n = 0; n < lists; n++) if (random.uniform() < chance) successes++;
    return { lists, successes };
  });
}

describe('uplift', () => {
  test('means by user and by list, differences and ratios, by hand', () => {
    const { variants } = estimate({
      large: {
        share: 0.5,
        users: [
          { lists: 1, successes: 3 },
          { lists: 3, successes: 3 },
        ],
      },
      control: {
        share: 0.5,
        users: [
          { lists: 2, successes: 1 },
          { lists: 2, successes: 3 },
        ],
      },
    });
    const [control, large] = variants;
    assert.deepEqual([control?.name, control?.users, control?.lists], ['control', 2, 4]);
    assert.deepEqual([control?.perUser.mean, control?.perList.mean], [2, 1]);
    assert.deepEqual([large?.perUser.mean, large?.perList.mean], [3, 1.5]);
    assert.deepEqual([large?.difference?.perUser.mean, large?.uplift?.perUser.mean], [1, 0.5]);
    assert.equal(control?.difference, undefined);
  });

  test('the same users in both: nothing is found', () => {
    const users = drawn(0.2, 300, Random.of(3));
    const { variants, sampleRatio } = estimate({
      control: { share: 0.5, users },
      same: { share: 0.5, users },
    });
    assert.equal(variants[1]?.difference?.perUser.mean, 0);
    assert.deepEqual(sampleRatio, { chiSquare: 0, p: 1 });
  });

  test('over 300 trials of 200 users the interval holds the truth in 91 to 98 %, with and without a difference', () => {
    for (const [a, b] of [
      [0.2, 0.2],
      [0.2, 0.3],
    ] as const) {
      let held = 0;
      for (let trial = 0; trial < 300; trial++) {
        const random = Random.of(trial, 'uplift test', String(b));
        const { variants } = estimate(
          {
            control: { share: 0.5, users: drawn(a, 200, random) },
            large: { share: 0.5, users: drawn(b, 200, random) },
          },
          trial,
        );
        const { low, high } = variants[1]!.uplift!.perList;
        const truth = b / a - 1;
        if (low <= truth && truth <= high) held++;
      }
      assert(held >= 0.91 * 300 && held <= 0.98 * 300, `${held} of 300 with ${b}`);
    }
  });

  test('users that are missing show, of one variant, or all of a third', () => {
    const many = (n: number) => Array.from({ length: n }, () => ({ lists: 1, successes: 0 }));
    const p = (groups: Groups): number => estimate(groups).sampleRatio.p;
    const fair = { control: { share: 0.9, users: many(900) }, small: { share: 0.1, users: many(100) } };
    assert(p(fair) > 0.99);
    assert(p({ ...fair, small: { share: 0.1, users: many(60) } }) < 0.001);
    assert(p({ control: { share: 0.5, users: many(500) }, small: { share: 0.4, users: many(400) } }) < 0.001);
  });

  test('a control that earns nothing has no ratio; one that is no variant, or alone, is refused', () => {
    const none = Array.from({ length: 30 }, () => ({ lists: 1, successes: 0 }));
    const some = Array.from({ length: 30 }, () => ({ lists: 1, successes: 1 }));
    const { variants } = estimate({
      control: { share: 0.5, users: none },
      large: { share: 0.5, users: some },
    });
    assert.equal(variants[1]?.uplift, undefined);
    assert.deepEqual(variants[1]?.difference?.perUser, { mean: 1, low: 1, high: 1 });
    const large = { share: 0.5, users: some };
    assert.throws(() => estimate({ large, other: large }), /“control” has no list in the log/);
    assert.throws(() => estimate({ control: large }), /all lists of the experiment are of control/);
  });

  test('the same seed, the same intervals', () => {
    const groups = {
      control: { share: 0.5, users: drawn(0.2, 50, Random.of(1)) },
      large: { share: 0.5, users: drawn(0.3, 50, Random.of(2)) },
    };
    assert.deepEqual(estimate(groups, 7), estimate(groups, 7));
    assert.notDeepEqual(estimate(groups, 7), estimate(groups, 8));
  });
});
