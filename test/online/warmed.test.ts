import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GraphFunction } from '../../src/compute/graph/function.js';
import { selectBackend } from '../../src/compute/select.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { frozenModel } from '../../src/online/frozen.js';
import type { LearnExample } from '../../src/online/learner.js';
import { modelLearner } from '../../src/online/model-learner.js';
import { learningSchema } from '../../src/online/schema.js';
import { Random } from '../../src/random.js';
import type { Query } from '../../src/types.js';
import { withNoise } from '../suites/fixtures.js';
import { catalogue, NOW } from './fixtures.js';

const native = (await selectBackend()).name === 'tensorflow';
const skip = { skip: !native && 'only the native backend records' };
const KNOWN = catalogue(3, 25);
const LENGTH = 6;

const query = (n: number): Query => ({
  user: 1,
  items: Int32Array.from({ length: n }, (_, i) => 1 + ((i * 7) % 25)),
  behaviours: new Uint8Array(n),
});
const example = (n: number): LearnExample => ({
  ...{ seq: n, query: query(n % 9), item: 1 + (n % 25), behaviour: 0, weight: 1, known: 26 },
  event: { id: `e${n}`, user: 'x', item: 'y', behaviour: 'view', time: NOW, value: n % 5 },
});

for (const loss of ['softmax', 'mse'] as const)
  test(
    `what was made ready before is not recorded when it is asked, and nothing was learned by it: ${loss}`,
    skip,
    async (t) => {
      const config = modelSchema.parse({ name: 'transformer', width: 8, length: LENGTH, depth: 1, heads: 2 });
      const model = createModel(config, KNOWN);
      const restored = { model, config, catalogue: KNOWN, inits: withNoise(model.init(new Random(1)), 1) };
      const settings = learningSchema.parse({ negatives: 5, batch: 7, loss });
      const [learner, cold] = [modelLearner(restored, settings, 3), modelLearner(restored, settings, 3)];
      const frozen = frozenModel(restored);
      let pauses = 0;
      const pause = async (): Promise<void> => void pauses++;
      await learner.warm!(pause);
      await frozen.warm!(pause);
      assert(pauses > 30, 'there is a pause between pieces');
      const record = t.mock.method(GraphFunction.prototype as unknown as { record(): unknown }, 'record');
      for (const rows of [1, 2, 4, 5, 16])
        for (let n = 0; n <= 8; n++) {
          const asked = new Array<Query>(rows).fill(query(n));
          await frozen.score(asked);
          await learner.score(asked);
        }
      for (const size of [1, 2, 4, 5, 7])
        await learner.learn(Array.from({ length: size }, (_, n) => example(n)));
      assert.equal(record.mock.callCount(), 0);
      for (const size of [1, 2, 4, 5, 7])
        await cold.learn(Array.from({ length: size }, (_, n) => example(n)));
      assert(record.mock.callCount() > 0, 'the one that was not made ready records');
      assert.deepEqual(await learner.snapshot(), await cold.snapshot());
      assert.deepEqual(await learner.score([query(3)]), await cold.score([query(3)]));
      for (const one of [learner, cold, frozen]) one.dispose();
    },
  );
