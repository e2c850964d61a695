import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../../src/compute/dropout.js';
import type { Params } from '../../src/compute/parameters.js';
import { ParameterStore } from '../../src/compute/parameters.js';
import { windowMask } from '../../src/model/layers/attention/window.js';
import { longTermConstants, withLongTerm } from '../../src/model/layers/long-term.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { Random } from '../../src/random.js';
import type { TensorMap } from '../../src/types.js';
import { assertClose, largestGap, valuesOf } from '../suites/assertions.js';
import { onBackend } from '../suites/backends.js';
import { catalogueOf, withNoise } from '../suites/fixtures.js';
import { params, sigmoid, stated, sum } from './formulas.js';

/** Events of two users, the second with padding; S = 2 of them are short-term interest. */
const ITEMS = [
  [3, 1, 2, 4],
  [0, 5, 1, 2],
];
const X = [
  [
    [0.3, -0.8],
    [1.2, 0.4],
    [-0.5, 0.9],
    [0.7, 0.1],
  ],
  [
    [50, 50],
    [-1, 0.6],
    [0.2, 0.2],
    [0.9, -0.4],
  ],
];
const STATES = X.map((rows) => rows.map(([a, b]) => [a! - 0.3, 0.5 * b! + 0.1]));
const [W_S, W_L, W_V] = [
  [
    [0.4, -1],
    [0.3, 0.2],
  ],
  [
    [1, 0.5],
    [-0.7, 0.1],
  ],
  [
    [0.6, -0.2],
    [0.9, 1.1],
  ],
] as const;
const B = [0.2, -0.4];
/** Logarithms of how much an event counts by its lag; row 0 is that of none. */
const A = [9, 0.3, -0.2, 0.5, -0.9];

const times = (x: readonly number[], w: readonly (readonly number[])[]): number[] =>
  w[0]!.map((_, c) => sum(x.map((v, r) => v * w[r]![c]!)));

function found(rows: number): Float32Array {
  const constants: TensorMap = new Map();
  const options = { width: 2, length: 4, after: 2 };
  longTermConstants(constants, options);
  return valuesOf(() => {
    const held: Params = {
      ...params({
        'longTerm.recency.lags': tf.tensor2d(constants.get('longTerm.recency.lags')!.data, [4, 4], 'int32'),
        'longTerm.short': tf.tensor2d(W_S.map((row) => [...row])),
        'longTerm.long': tf.tensor2d(W_L.map((row) => [...row])),
        'longTerm.value': tf.tensor2d(W_V.map((row) => [...row])),
        'longTerm.bias': tf.tensor1d(B),
      }),
      lookup: (_, ids) => tf.gather(tf.tensor2d(A.map((a) => [a])), ids),
    };
    const states = tf.tensor3d(STATES.map((of) => of.slice(4 - rows)));
    return withLongTerm(held, states, tf.tensor2d(ITEMS, undefined, 'int32'), tf.tensor3d(X), options);
  });
}

onBackend('cpu', 'docs/concepts.md: long- and short-term interest', () => {
  stated(
    [
      'l_t = Σ_{j ≤ t−S} a_{t−j} x_j / Σ_{j ≤ t−S} a_{t−j}',
      'g = σ(s W_s + l W_l + b)        s′ = g ⊙ s + (1 − g) ⊙ l W_v',
    ],
    () => {
      const expected = ITEMS.map((items, u) =>
        items.map((_, t) => {
          const s = STATES[u]![t]!;
          const old = [0, 1, 2, 3].filter((j) => j <= t - 2 && items[j] !== 0);
          if (old.length === 0) return s;
          const weights = old.map((j) => Math.exp(A[1 + t - j]!));
          const l = [0, 1].map((c) => sum(old.map((j, k) => weights[k]! * X[u]![j]![c]!)) / sum(weights));
          const other = times(l, W_V);
          const [fromS, fromL] = [times(s, W_S), times(l, W_L)];
          return s.map((v, c) => {
            const g = sigmoid(fromS[c]! + fromL[c]! + B[c]!);
            return g * v + (1 - g) * other[c]!;
          });
        }),
      );
      assertClose(found(4), expected.flat(2), 'all states', 1e-5, 1e-5);
      assertClose(
        found(1),
        expected.flatMap((of) => of[3]!),
        'the newest',
        1e-5,
        1e-5,
      );
    },
  );

  stated(['M_ij = −10⁹ where j ≤ i − S'], () => {
    const expected = [0, 1, 2, 3].flatMap((i) => [0, 1, 2, 3].map((j) => (j <= i - 2 ? -1e9 : 0)));
    assert.deepEqual([...valuesOf(() => windowMask(2, 4, 4))], expected);
    assert.deepEqual([...valuesOf(() => windowMask(2, 4, 1))], expected.slice(12));
  });

  test('of what is long ago the transformer’s blocks see nothing, its state all', () => {
    const catalogue = catalogueOf(3, 9);
    const config = modelSchema.parse({
      ...{ name: 'transformer', width: 8, depth: 1, heads: 2, length: 5, dropout: 0 },
      shortTerm: 2,
    });
    const model = createModel(config, catalogue);
    const inits = withNoise(model.init(new Random(7)), 11);
    const encoded = (items: number[], part: 'states' | 'layers'): Float32Array => {
      const store = new ParameterStore(inits, model.constants());
      try {
        return valuesOf(() => {
          const given = tf.tensor2d([items], undefined, 'int32');
          const { states, layers } = model.encode(
            store.reader(),
            { users: tf.tensor1d([0], 'int32'), items: given, behaviours: tf.onesLike(given) },
            INFERENCE,
          );
          return tf.slice(part === 'states' ? states : layers[0]!, [0, 3, 0], [1, 1, 8]);
        });
      } finally {
        store.dispose();
      }
    };
    const [one, other] = [
      [1, 2, 3, 4],
      [1, 5, 3, 4],
    ];
    assertClose(encoded(other!, 'layers'), encoded(one!, 'layers'), 'what the block sees', 1e-7, 0);
    assert.ok(largestGap(encoded(other!, 'states'), encoded(one!, 'states')) > 1e-3);
  });
});
