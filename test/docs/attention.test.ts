import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../../src/compute/dropout.js';
import type { Params } from '../../src/compute/parameters.js';
import { ATTENTIONS, type AttentionName } from '../../src/model/layers/attention/index.js';
import { timeBuckets } from '../../src/model/layers/attention/relative-time.js';
import { assertClose, valuesOf } from '../suites/assertions.js';
import { onBackend } from '../suites/backends.js';
import { dot, mean, params, sigmoid, softmax, stated, sum } from './formulas.js';

const silu = (z: number): number => z * sigmoid(z);

/** Three positions of width 4. */
const X = [
  [1, 0.5, -1, 2],
  [0.2, -0.3, 0.8, 0.1],
  [-1.5, 0.4, 0.6, 1],
];
const HEADS = [0, 2];
/** Biases by distance, a column a head. */
const RELATIVE = [
  [0.4, -0.2],
  [-0.7, 0.3],
  [0.1, 0.9],
  [9, 9],
];

/** When the positions were, in seconds, and biases by bucket of the difference, a column a head. */
const TIMES = [0, 6, 7];
const BY_TIME = [
  [0.3, 0.2],
  [-0.4, 0.6],
  [0.5, -0.1],
  [0.7, -0.8],
];

/** A layer of attention whose projections are the identity, over two heads of width 2 and a longest history of 4. */
function attend(kind: AttentionName, relativePosition: boolean, relativeTime: boolean): Float32Array {
  return valuesOf(() => {
    const eye = tf.eye(4);
    const named = ['query', 'key', 'value', 'gate', 'output'].map((part) => [`a.${part}`, eye] as const);
    const values: Record<string, tf.Tensor> = {
      ...Object.fromEntries(named),
      'a.bias': tf.tensor1d([0.1, 0, 0, -0.1]),
      'a.norm.gain': tf.ones([4]),
      'a.relative': tf.tensor2d(RELATIVE),
      'a.time': tf.tensor2d(BY_TIME),
    };
    const held: Params = { ...params(values), lookup: (name, ids) => tf.gather(values[name]!, ids) };
    const options = {
      ...({ width: 4, heads: 2, length: 4, dropout: 0, direction: 'causal', norm: 'rms' } as const),
      relativePosition,
      relativeTime,
    };
    const buckets = relativeTime ? timeBuckets(tf.tensor2d([TIMES], [1, 3], 'int32')) : undefined;
    return ATTENTIONS[kind].apply(held, 'a', tf.tensor3d([X]), tf.zeros([1, 3]), options, INFERENCE, buckets);
  });
}

const BIAS = [0.1, 0, 0, -0.1];

onBackend('cpu', 'docs/concepts.md: attention', () => {
  for (const [relative, timed] of [
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ] as const) {
    const biasOf = (i: number, j: number, head: number): number => {
      const bucket = Math.floor(Math.log2(1 + Math.abs(TIMES[i]! - TIMES[j]!)));
      return (relative ? RELATIVE[i - j]![head]! : 0) + (timed ? BY_TIME[bucket]![head]! : 0);
    };

    stated(
      [
        'A = softmax(Q Kᵀ / √d + M) V',
        'head, with queries Q, keys K and values V of width d = D / heads',
        'B_ij = b_{i−j}',
        'B_ij = c_k,   k = ⌊log₂(1 + |t_i − t_j|)⌋',
      ],
      () => {
        const expected = X.map((row, i) =>
          HEADS.flatMap((from, head) => {
            const part = (r: readonly number[]): number[] => r.slice(from, from + 2);
            const before = X.slice(0, i + 1).map(part);
            const weights = softmax(
              before.map((key, j) => dot(part(row), key) / Math.sqrt(2) + biasOf(i, j, head)),
            );
            return [0, 1].map((c) => sum(before.map((value, j) => weights[j]! * value[c]!)));
          }),
        );
        const found = attend('softmax', relative, timed);
        assertClose(
          found,
          expected.flatMap((row) => row.map((v, c) => v + BIAS[c]!)),
          'attention',
        );
      },
    );

    stated(
      [
        'U, Q, K, V = silu(x W)        silu(z) = z σ(z)',
        'A = (norm(silu(Q Kᵀ) ⊙ M / L · V) ⊙ U) W_o + b',
        'B_ij = b_{i−j}',
        'B_ij = c_k,   k = ⌊log₂(1 + |t_i − t_j|)⌋',
      ],
      () => {
        const projected = X.map((row) => row.map(silu));
        const expected = projected.flatMap((row, i) => {
          const mixed = HEADS.flatMap((from, head) => {
            const part = (r: readonly number[]): number[] => r.slice(from, from + 2);
            const before = projected.slice(0, i + 1).map(part);
            const weights = before.map((key, j) => silu(dot(part(row), key) + biasOf(i, j, head)) / 4);
            return [0, 1].map((c) => sum(before.map((value, j) => weights[j]! * value[c]!)));
          });
          const size = Math.sqrt(mean(mixed.map((v) => v * v)) + 1e-6);
          return mixed.map((v, c) => (v / size) * row[c]! + BIAS[c]!);
        });
        assertClose(attend('gated', relative, timed), expected, 'attention');
      },
    );
  }
});
