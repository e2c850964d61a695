import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { gru } from '../../src/compute/ops/gru.js';
import { recurrent } from '../../src/model/layers/gru.js';
import { pruneStructure } from '../../src/model/pruning/structured.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { Random } from '../../src/random.js';
import { params } from '../docs/formulas.js';
import { assertClose, valuesOf } from '../suites/assertions.js';
import { onEachBackend } from '../suites/backends.js';
import { catalogueOf } from '../suites/fixtures.js';

const rng = new Random(5);
const normal = (...shape: number[]): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal()),
    shape,
  );

/** The same states, a step at a time by operations whose gradients are tfjs's own. */
function composed(inputs: tf.Tensor3D, recurrent: tf.Tensor2D, start: tf.Tensor2D): tf.Tensor3D {
  const states: tf.Tensor2D[] = [];
  let h = start;
  for (const a of tf.unstack(inputs, 1)) {
    const [ar, az, an] = tf.split(a, 3, 1);
    const [br, bz, bn] = tf.split(tf.matMul(h, recurrent), 3, 1);
    const r = tf.sigmoid(tf.add(ar!, br!));
    const z = tf.sigmoid(tf.add(az!, bz!));
    const n = tf.tanh(tf.add(an!, tf.mul(r, bn!)));
    h = tf.add(tf.mul(tf.sub(1, z), h), tf.mul(z, n));
    states.push(h);
  }
  return tf.stack(states, 1) as tf.Tensor3D;
}

/** A layer of one input and one state: σ(0) = ½ resets, σ(ln 3) = ¾ updates, and the candidate reads the input and the state. */
const single = (start: number, input: number, product: number) => {
  const one = (value: number): tf.Tensor => tf.tensor2d([[value]]);
  return params({
    'l.input.reset': one(0),
    'l.input.update': one(0),
    'l.input.candidate': one(input),
    'l.recurrent.reset': one(0),
    'l.recurrent.update': one(0),
    'l.recurrent.candidate': one(product),
    'l.bias.reset': tf.tensor1d([0]),
    'l.bias.update': tf.tensor1d([Math.log(3)]),
    'l.bias.candidate': tf.tensor1d([0]),
    'l.start': one(start),
  });
};

onEachBackend('gated recurrent unit', () => {
  test('two steps by hand, with padding before and between them', () => {
    const found = valuesOf(() => {
      const x = tf.tensor3d([[[9], [0.5], [-7], [1]]]);
      const absent = tf.tensor2d([[1, 0, 1, 0]]);
      return recurrent(single(0.5, Math.log(2), 2 * Math.log(2)), 'l', x, absent);
    });
    // ½ ln 2 + ½ · ½ · 2 ln 2 = ln 2, whose tanh is 3/5; then ½ + ¾ (0.6 − ½).
    const first = 0.575;
    const second = first + 0.75 * (Math.tanh(Math.log(2) * (1 + first)) - first);
    assertClose(found, [0.5, first, first, second], 'states', 1e-6);
    assert.equal(found[0], 0.5, 'padding leaves every bit');
    assert.equal(found[2], found[1], 'padding leaves every bit');
  });

  test('an update gate that is open takes the candidate, whatever the state was', () => {
    const found = valuesOf(() => {
      const inputs = tf.tensor3d([[[0, 50, 0.3]], [[0, 50, 0.3]]]);
      return gru(inputs, tf.zeros([1, 3]), tf.tensor2d([[0.9], [-4]]));
    });
    assertClose(found, [Math.tanh(0.3), Math.tanh(0.3)], 'states');
  });

  test('values and gradients are those of the operations it is made of', () => {
    tf.tidy(() => {
      const args = [normal(3, 7, 12), normal(4, 12), normal(3, 4)] as const;
      const along = normal(3, 7, 4);
      const slopes = (f: typeof gru) => [
        f(...(args as unknown as Parameters<typeof gru>)),
        ...tf.grads((...x) => tf.sum(tf.mul(f(...(x as Parameters<typeof gru>)), along)))([...args]),
      ];
      const expected = slopes(composed);
      slopes(gru).forEach((found, i) => {
        assert.deepEqual(found.shape, expected[i]!.shape);
        assertClose(found.dataSync(), expected[i]!.dataSync(), i ? `gradient ${i}` : 'value', 1e-5, 1e-4);
      });
    });
  });
});

test('pruning names the parts there are: channels where there is a projection, no layers', () => {
  const weights = (more: object) => {
    const config = modelSchema.parse({ name: 'gru', width: 8, depth: 2, ...more });
    return { config, inits: createModel(config, catalogueOf(2, 3)).init(new Random(1)) };
  };
  for (const [more, parts] of [
    [{}, 'width'],
    [{ hidden: 8 }, 'channels, width'],
  ] as const) {
    assert.throws(() => pruneStructure(weights(more), ['layers'], 0.5), {
      code: 'CONFIG_INVALID',
      message: `prune.parts: the model gru has no layers to remove (it has ${parts})`,
    });
  }
  const { config, inits } = pruneStructure(weights({ hidden: 8 }), ['channels'], 0.5);
  assert.ok(config.name === 'gru' && config.hidden === 4);
  assert.deepEqual(inits.get('layers.1.recurrent.update')!.shape, [4, 4]);
  assert.deepEqual(inits.get('projection.weight')!.shape, [4, 8]);
  const narrow = pruneStructure(weights({}), ['width'], 0.5);
  assert.deepEqual(narrow.inits.get('layers.0.input.reset')!.shape, [4, 4]);
  assert.ok(narrow.config.name === 'gru' && narrow.config.width === 4 && narrow.config.hidden === undefined);
});
