import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectBackend } from '../../src/compute/select.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { modelLearner } from '../../src/online/model-learner.js';
import { learningSchema } from '../../src/online/schema.js';
import { Random } from '../../src/random.js';
import type { Query } from '../../src/types.js';
import { catalogue, NOW } from './fixtures.js';

const native = (await selectBackend()).name === 'tensorflow';

test('what is scored by a recorded function follows every update, alone or together, as it does operation by operation', {
  skip: !native && 'only the native backend records',
}, async () => {
  const known = catalogue(3, 25);
  const config = modelSchema.parse({
    name: 'transformer',
    width: 8,
    depth: 1,
    heads: 2,
    length: 8,
    dropout: 0,
  });
  const query = (...items: number[]): Query => ({
    user: 0,
    items: Int32Array.from(items),
    behaviours: new Uint8Array(items.length),
  });
  const queries = [query(1), query(2, 3, 4), query(5, 6, 7, 8, 9, 10, 11, 12, 13), query(), query(7, 7)];
  const scoresOn = async (backend: 'cpu' | 'tensorflow'): Promise<Float32Array[]> => {
    await selectBackend(backend);
    const model = createModel(config, known);
    const learner = modelLearner(
      { model, config, catalogue: known, inits: model.init(new Random(1)) },
      learningSchema.parse({ negatives: 5, learningRate: 0.05 }),
      3,
    );
    const rows: Float32Array[] = [];
    for (let n = 0; n < 3; n++) {
      for (const one of queries) rows.push((await learner.score([one])).slice());
      rows.push((await learner.score(queries)).slice());
      const event = { id: `e${n}`, user: 'x', item: 'i9', behaviour: 'view', time: NOW };
      await learner.learn([
        { seq: n, event, query: queries[1]!, item: 9, behaviour: 0, weight: 1, known: 26 },
      ]);
    }
    learner.dispose();
    return rows;
  };
  const expected = await scoresOn('cpu');
  const found = await scoresOn('tensorflow');
  assert.notDeepEqual(expected[0], expected[6], 'updates move the scores');
  for (const [i, row] of expected.entries()) {
    assert.equal(found[i]!.length, row.length);
    row.forEach((score, at) => {
      if (at % 26 !== 0)
        assert(Math.abs(found[i]![at]! - score) < 1e-4, `${i} ${at}: ${found[i]![at]} for ${score}`);
    });
  }
});
