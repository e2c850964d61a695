import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectBackend } from '../../../src/compute/select.js';
import { createModel, modelSchema } from '../../../src/model/registry.js';
import { modelLearner } from '../../../src/online/model-learner.js';
import { learningSchema } from '../../../src/online/schema.js';
import { turn } from '../../../src/online/turn.js';
import { Random } from '../../../src/random.js';
import type { Query } from '../../../src/types.js';
import { withNoise } from '../../suites/fixtures.js';
import { catalogue, NOW } from '../fixtures.js';

const native = (await selectBackend()).name === 'tensorflow';
const skip = !native && 'only the native backend records';

const query = (...items: number[]): Query => ({
  user: 0,
  items: Int32Array.from(items),
  behaviours: new Uint8Array(items.length),
});
const QUERIES = [query(1), query(2, 3, 4), query(5, 6, 7, 8, 9, 10, 11, 12, 13), query(), query(7, 7)];

const MODELS = [
  { name: 'transformer', width: 8, depth: 1, heads: 2, length: 8, dropout: 0 },
  { name: 'gru', width: 8, length: 8 },
  { name: 'two-tower', width: 8, length: 8 },
  { name: 'fold-in', width: 8, length: 8 },
];

for (const config of MODELS)
  test(`${config.name}: states and scores of some items follow every update as those of all do`, {
    skip,
  }, async () => {
    for (const backend of ['cpu', 'tensorflow'] as const) {
      await selectBackend(backend);
      const known = catalogue(3, 25);
      const parsed = modelSchema.parse(config);
      const model = createModel(parsed, known);
      const inits = withNoise(model.init(new Random(1)), 2);
      const learner = modelLearner(
        { model, config: parsed, catalogue: known, inits },
        learningSchema.parse({ negatives: 5, learningRate: 0.05 }),
        3,
      );
      const { products } = learner.states!;
      assert(products);
      await products.warm?.(turn);
      const items = Int32Array.of(1, 9, 25);
      const before = await learner.score([QUERIES[1]!]);
      for (let n = 0; n < 3; n++) {
        const together = await products.adapt(QUERIES);
        for (const [row, one] of QUERIES.entries()) {
          const scores = await learner.score([one]);
          const state = await products.adapt([one]);
          assert.equal(state.length, products.width);
          const found = await products.scores(state, items);
          const vectors = await products.vectors(items);
          for (const [i, item] of items.entries()) {
            assert(Math.abs(found[i]! - scores[item]!) < 1e-4, `${found[i]} for ${scores[item]}`);
            let product = vectors[(i + 1) * (products.width + 1) - 1]!;
            for (let d = 0; d < products.width; d++)
              product += together[row * products.width + d]! * vectors[i * (products.width + 1) + d]!;
            assert(Math.abs(product - scores[item]!) < 1e-4, `${product} for ${scores[item]}`);
          }
        }
        const event = { id: `e${n}`, user: 'x', item: 'i9', behaviour: 'view', time: NOW };
        const example = { query: QUERIES[1]!, item: 9, behaviour: 0, weight: 1, known: 26 };
        await learner.learn([{ seq: n, event, ...example }]);
      }
      assert.notDeepEqual(await learner.score([QUERIES[1]!]), before, 'updates move the scores');
      learner.dispose();
    }
  });
