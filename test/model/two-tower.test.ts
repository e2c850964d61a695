import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../../src/compute/dropout.js';
import type { Params } from '../../src/compute/parameters.js';
import { recencyConstants, recencyMean } from '../../src/model/layers/recency.js';
import { tower } from '../../src/model/layers/tower.js';
import { pruneStructure } from '../../src/model/pruning/structured.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { modelScorer } from '../../src/model/scorer.js';
import { Random } from '../../src/random.js';
import type { TensorMap } from '../../src/types.js';
import { params } from '../docs/formulas.js';
import { assertClose, valuesOf } from '../suites/assertions.js';
import { onEachBackend } from '../suites/backends.js';
import { catalogueOf } from '../suites/fixtures.js';

onEachBackend('two towers', () => {
  test('the mean of what came so far, by recency; 0 before the first event', () => {
    const constants: TensorMap = new Map();
    recencyConstants(constants, 4);
    const lags = constants.get('recency.lags')!;
    const found = valuesOf(() => {
      // The newest counts 1, the one before it ½, the one before that ¼.
      const weights = tf.tensor2d([[9], [0], [Math.log(0.5)], [Math.log(0.25)], [7]]);
      const held: Params = {
        ...params({ 'recency.lags': tf.tensor2d(lags.data, [4, 4], 'int32') }),
        lookup: (name, ids) => {
          assert.equal(name, 'recency');
          return tf.gather(weights, ids);
        },
      };
      const items = tf.tensor2d([[0, 3, 5, 2]], [1, 4], 'int32');
      const vectors = tf.tensor3d([[[100], [4], [7], [-3]]]);
      return recencyMean(held, items, vectors);
    });
    const expected = [0, 4, (7 + 0.5 * 4) / 1.5, (-3 + 0.5 * 7 + 0.25 * 4) / 1.75];
    assertClose(found, expected, 'means', 1e-5);
  });

  test('a tower is ReLU between its layers, and nothing after the last', () => {
    const held = () =>
      params({
        't.0.weight': tf.tensor2d([
          [1, -1],
          [2, 0.5],
        ]),
        't.0.bias': tf.tensor1d([0.5, 0]),
        't.1.weight': tf.tensor2d([[2], [-3]]),
        't.1.bias': tf.tensor1d([-10]),
      });
    const layer = (at: number) =>
      valuesOf(
        () =>
          tower(
            held(),
            't',
            2,
            tf.tensor2d([
              [3, 1],
              [-1, 2],
            ]),
            0,
            INFERENCE,
          )[at]!,
      );
    assertClose(layer(0), [5.5, 0, 3.5, 2], 'hidden');
    assertClose(layer(1), [1, -9], 'out');
  });

  test('a cosine over the temperature is at most its inverse; the learned bias comes on top', async () => {
    const catalogue = catalogueOf(2, 6);
    const config = modelSchema.parse({ name: 'two-tower', width: 4, temperature: 0.25, outputBias: true });
    const model = createModel(config, catalogue);
    const inits = model.init(new Random(3));
    const scoresOf = async (bias: number) => {
      const { data, ...rest } = inits.get('output.bias')!;
      const biased = new Map(inits).set('output.bias', { ...rest, data: data.map(() => bias) });
      const scorer = modelScorer({ model, config, catalogue, inits: biased });
      const query = { user: 1, items: Int32Array.of(1, 4), behaviours: Uint8Array.of(0, 0) };
      const scores = (await scorer.score([query])).slice(1);
      scorer.dispose();
      return scores;
    };
    const plain = await scoresOf(0);
    assert.ok(plain.every((score) => Math.abs(score) <= 4 + 1e-4));
    assertClose(
      await scoresOf(50),
      plain.map((score) => score + 50),
      'scores',
    );
  });
});

test('pruning: channels of both towers, or what they read and give', () => {
  const config = modelSchema.parse({ name: 'two-tower', width: 8, hidden: [10, 6] });
  const inits = createModel(config, catalogueOf(2, 3)).init(new Random(1));
  assert.throws(() => pruneStructure({ config, inits }, ['heads'], 0.5), {
    code: 'CONFIG_INVALID',
    message: 'prune.parts: the model two-tower has no heads to remove (it has channels, width)',
  });
  const { config: small, inits: left } = pruneStructure({ config, inits }, ['channels', 'width'], 0.5);
  assert.ok(small.name === 'two-tower' && small.width === 4);
  assert.deepEqual(small.hidden, [5, 3]);
  for (const side of ['userTower', 'itemTower'])
    assert.deepEqual(
      [0, 1, 2].map((i) => left.get(`${side}.${i}.weight`)!.shape),
      [
        [4, 5],
        [5, 3],
        [3, 4],
      ],
    );
});
