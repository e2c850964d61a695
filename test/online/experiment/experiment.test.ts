import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { goodnessOfFit } from '../../../src/evaluation/experiment/chi-square.js';
import { Experiment } from '../../../src/online/experiment/experiment.js';
import { type ExperimentConfig, experimentSchema } from '../../../src/online/experiment/schema.js';
import { recommendSchema } from '../../../src/protocol/recommendations.js';

const CONFIG = experimentSchema.parse({
  name: 'size',
  variants: [
    { name: 'control', share: 2 },
    { name: 'varied', diversity: 0.4 },
    { name: 'lora', adapter: 'shop' },
  ],
})!;
const experiment = (config: Partial<ExperimentConfig> = {}) =>
  new Experiment({ ...CONFIG, ...config }, ['shop']);
const USERS = Array.from({ length: 20_000 }, (_, n) => `u${n}`);

describe('an experiment', () => {
  test('users come to variants by their shares, and always to the same', () => {
    const one = experiment();
    const counts = new Map(CONFIG.variants.map(({ name }) => [name, 0]));
    for (const user of USERS) {
      const { name } = one.variant(user);
      assert.equal(experiment().variant(user).name, name);
      counts.set(name, counts.get(name)! + 1);
    }
    const { p } = goodnessOfFit([...counts.values()], [0.5, 0.25, 0.25]);
    assert(p > 0.01, `${[...counts.values()]}: p ${p}`);
  });

  test('another name deals them anew, independently of the first', () => {
    const [a, b] = [experiment(), experiment({ name: 'colour' })];
    const both = [0, 0, 0, 0];
    for (const user of USERS) {
      const [first, second] = [a.variant(user), b.variant(user)].map(({ name }) => name === 'control');
      both[Number(first) * 2 + Number(second)]!++;
    }
    const { p } = goodnessOfFit(both, [0.25, 0.25, 0.25, 0.25]);
    assert(p > 0.01, `${both}: p ${p}`);
  });

  test('known points of the hash: who is dealt where does not change from version to version', () => {
    const names = ['ann', 'bob', 'ida', 'été', ''].map((user) => experiment().variant(user).name);
    // HMAC-SHA-256 by Python's hmac: its first 48 bits, of the shares laid end to end.
    assert.deepEqual(names, ['lora', 'control', 'control', 'lora', 'control']);
  });

  test('a list without a user, or whose request says how it is scored, is in no variant', () => {
    const of = (request: unknown) => experiment().of(recommendSchema.parse(request))?.name;
    assert.equal(of({ user: 'ann' }), experiment().variant('ann').name);
    assert.equal(of({ user: 'ann', history: ['a'] }), experiment().variant('ann').name);
    assert.equal(of({ history: ['a'] }), undefined);
    assert.equal(of({ user: 'ann', adapter: 'shop' }), undefined);
    assert.equal(of({ user: 'ann', state: [1] }), undefined);
  });

  test('the record of a list has the share of all', () => {
    assert.deepEqual(experiment().told(CONFIG.variants[1]!), {
      experiment: 'size',
      name: 'varied',
      share: 0.25,
    });
  });

  test('adapters that are not served, one variant alone, and two of a name are refused', () => {
    assert.throws(() => new Experiment(CONFIG, ['shops']), /experiment\.variants\.2\.adapter: “shop”.*shops/);
    const refused = (variants: unknown) =>
      assert.equal(experimentSchema.safeParse({ name: 'x', variants }).success, false);
    refused([{ name: 'control' }]);
    refused([{ name: 'control' }, { name: 'control' }]);
    refused([{ name: 'control' }, { name: 'other', share: 0 }]);
  });
});
