import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Exploration } from '../../../src/online/exploration/exploration.js';
import { explorationSchema } from '../../../src/online/exploration/schema.js';
import { Lists } from '../../../src/online/lists/lists.js';
import { listsSchema } from '../../../src/online/lists/schema.js';
import { OpenCatalogue } from '../../../src/online/open-catalogue.js';
import type { Catalogue } from '../../../src/types.js';
import { catalogue } from '../fixtures.js';

/** Six items; item i has brand b(i mod 2). */
function shop(): Catalogue {
  const tokens = Int32Array.from({ length: 7 }, (_, item) => (item === 0 ? 0 : 1 + (item % 2)));
  const tokenNames = ['', 'brand=b0', 'brand=b1'];
  return {
    ...catalogue(2, 6),
    itemFeatures: { rows: 7, width: 1, tokens, tokenNames, numbers: new Float32Array(0), numberNames: [] },
  };
}

const popularity = new Float32Array(7);
const opened = (exploration: object, lists: object = {}): Promise<Lists> => {
  const of = shop();
  const config = explorationSchema.parse(exploration);
  return Lists.open(
    listsSchema.parse(lists),
    of,
    new OpenCatalogue(of),
    () => {},
    new Exploration(config, 3),
  );
};
const ask = (requestId: string | undefined, k = 2, counts = false, barred = new Set<number>()) => ({
  ...{ k, barred, counts, requestId, popularity },
});

/** Item i has the score ln i: 21 in all by softmax. */
const scores = Float32Array.from({ length: 7 }, (_, item) => (item === 0 ? -1e9 : Math.log(item)));

test('a list by softmax: each item has its share among those that are left (Plackett–Luce)', async () => {
  const lists = await opened({ kind: 'softmax' });
  for (let n = 0; n < 50; n++) {
    const { items, propensities, scores: shown } = await lists.best(scores, ask(`r${n}`, 3));
    let left = 21;
    for (const [i, item] of items.entries()) {
      assert(Math.abs(propensities[i]! - item / left) < 1e-6, `${items}: ${propensities}`);
      assert.equal(shown[i], scores[item], 'the score is the model’s');
      left -= item;
    }
    assert.equal(new Set(items).size, 3);
  }
});

test('lists are as frequent as the product of their propensities', async () => {
  const lists = await opened({ kind: 'softmax', pool: 3 });
  const seen = new Map<string, { count: number; propensity: number }>();
  const draws = 6000;
  for (let n = 0; n < draws; n++) {
    const { items, propensities, pool } = await lists.best(scores, ask(`request ${n}`));
    assert.deepEqual([...pool], [6, 5, 4]);
    const list = seen.get(`${items}`) ?? { count: 0, propensity: propensities[0]! * propensities[1]! };
    list.count++;
    seen.set(`${items}`, list);
  }
  assert.equal(seen.size, 6);
  let total = 0;
  for (const [items, { count, propensity }] of seen) {
    total += propensity;
    const bound = 5 * Math.sqrt((propensity * (1 - propensity)) / draws);
    assert(Math.abs(count / draws - propensity) < bound, `${items}: ${count / draws}, ${propensity}`);
  }
  assert(Math.abs(total - 1) < 1e-6);
});

test('a request that is asked again is answered the same; without a name nothing is drawn', async () => {
  const lists = await opened({ kind: 'epsilon-greedy', epsilon: 1 });
  const orders = new Set<string>();
  for (let n = 0; n < 30; n++) {
    const list = await lists.best(scores, ask(`r${n}`, 4));
    assert.deepEqual(await lists.best(scores, ask(`r${n}`, 4)), list);
    orders.add(`${list.items}`);
  }
  assert(orders.size > 20, `${orders.size}`);
  assert.deepEqual([...(await lists.best(scores, ask(undefined, 4))).items], [6, 5, 4, 3]);
});

test('caps bind what is drawn, and propensities are those among what caps allow', async () => {
  const lists = await opened({ kind: 'epsilon-greedy', epsilon: 0.5 }, { most: { brand: 1 } });
  for (let n = 0; n < 40; n++) {
    const { items, propensities } = await lists.best(scores, ask(`r${n}`));
    assert.equal(items.length, 2);
    assert.notEqual(items[0]! % 2, items[1]! % 2);
    // Of the six the best is 6; of the three of the other brand the best is the highest.
    assert(Math.abs(propensities[0]! - (items[0] === 6 ? 0.5 + 0.5 / 6 : 0.5 / 6)) < 1e-12);
    const best = items[0]! % 2 === 0 ? 5 : 6;
    assert(Math.abs(propensities[1]! - (items[1] === best ? 0.5 + 0.5 / 3 : 0.5 / 3)) < 1e-12);
  }
});

test('popular items are drawn by their counts', async () => {
  const lists = await opened({ kind: 'softmax' });
  const counts = Float32Array.of(0, 9, 4, 0, 0, 0, 0);
  const { items, propensities } = await lists.best(counts, ask('r', 1, true, new Set([3, 4, 5, 6])));
  assert(Math.abs(propensities[0]! - (items[0] === 1 ? 10 / 15 : 5 / 15)) < 1e-6);
});

test('no item twice, none that is barred or outside the pool; propensities of a policy without chance are 1', async () => {
  const given = fc.record({
    kind: fc.constantFrom('none', 'epsilon-greedy', 'softmax', 'thompson'),
    pool: fc.integer({ min: 2, max: 8 }),
    k: fc.integer({ min: 1, max: 7 }),
    diversity: fc.constantFrom(0, 0.4),
    barred: fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 6 }),
    requestId: fc.string(),
  });
  await fc.assert(
    fc.asyncProperty(given, async ({ kind, pool, k, diversity, barred, requestId }) => {
      const lists = await opened({ kind, pool }, { diversity });
      const list = await lists.best(scores, ask(requestId, k, false, new Set(barred)));
      assert.equal(list.items.length, Math.min(k, 6 - barred.length));
      assert.equal(new Set(list.items).size, list.items.length);
      for (const [i, item] of list.items.entries()) {
        assert(!barred.includes(item) && list.pool.includes(item));
        assert(list.propensities[i]! > 0 && list.propensities[i]! <= 1);
        if (kind === 'none') assert.equal(list.propensities[i], 1);
      }
    }),
  );
});
