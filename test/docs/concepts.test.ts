import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { dropoutMask, INFERENCE } from '../../src/compute/dropout.js';
import type { Params } from '../../src/compute/parameters.js';
import { attention } from '../../src/model/layers/attention.js';
import { norm } from '../../src/model/layers/norm.js';
import { bce, binaryCrossEntropy } from '../../src/model/losses/bce.js';
import { featureAlignment, softLabels } from '../../src/model/losses/distillation.js';
import type { Loss } from '../../src/model/losses/loss.js';
import { mse } from '../../src/model/losses/mse.js';
import { weightedMean } from '../../src/model/losses/reduce.js';
import { sampledSoftmax } from '../../src/model/losses/sampled-softmax.js';
import { softmax as softmaxLoss } from '../../src/model/losses/softmax.js';
import type { Model } from '../../src/model/model.js';
import { assertClose, valuesOf } from '../suites/assertions.js';
import { onBackend } from '../suites/backends.js';
import { dot, length, mean, sigmoid, slopes, softmax, stated, sum } from './formulas.js';

/** A model whose logits are its states: the state's entry j is item j's score. */
const SCORES = {
  logits: (_params, states, candidates) => {
    if (candidates === 'all') return states;
    const chosen = tf.oneHot(tf.cast(candidates, 'int32'), states.shape[1]);
    if (candidates.rank === 1) return tf.matMul(states, chosen as tf.Tensor2D, false, true);
    return tf.sum(tf.mul(tf.expandDims(states, 1), chosen), -1) as tf.Tensor2D;
  },
} as Pick<Model, 'logits'> as Model;

const params = (values: Record<string, tf.Tensor> = {}): Params => ({
  get: (name) => values[name]!,
  lookup: () => assert.fail('no table is read here'),
});

type Inputs = Readonly<Record<string, tf.Tensor>>;

/** A loss as a function of one position's scores. */
function of(loss: Loss, inputs: () => Inputs): (states: tf.Tensor2D) => tf.Scalar {
  return (states) =>
    loss.compute({
      model: SCORES,
      params: params(),
      states,
      inputs: { weights: tf.tensor1d([1]), ...inputs() },
      pass: INFERENCE,
    });
}

const ids = (...values: number[]): tf.Tensor1D => tf.tensor1d(values, 'int32');

/** The code's value and gradient at a point equal those stated; and the stated gradient is that of the stated value. */
function agrees(
  code: (x: tf.Tensor2D) => tf.Tensor,
  at: readonly number[],
  value: (x: readonly number[]) => number,
  gradient: readonly number[],
): void {
  const x = (): tf.Tensor2D => tf.tensor2d([[...at]]);
  assertClose(
    valuesOf(() => tf.sum(code(x()))),
    [value(at)],
    'value',
    1e-5,
    1e-5,
  );
  assertClose(
    valuesOf(() => tf.grad((t) => tf.sum(code(t as tf.Tensor2D)))(x())),
    gradient,
    'gradient of the code',
    2e-5,
    1e-4,
  );
  assertClose(slopes(value, at), gradient, 'gradient of the formula', 1e-6, 1e-6);
}

const S = [0.3, -1.2, 2.1, 0.4, -0.7];

onBackend('cpu', 'docs/concepts.md: losses', () => {
  stated(['p_j = exp(s_j) / Σ_i exp(s_i)', 'log Σ_i exp(s_i) − s_y', '∂L/∂s_j = p_j − 1[j = y]'], () => {
    const y = 3;
    agrees(
      of(softmaxLoss, () => ({ targets: ids(y) })),
      S,
      (s) => Math.log(sum(s.map((v) => Math.exp(v)))) - s[y]!,
      softmax(S).map((p, j) => p - (j === y ? 1 : 0)),
    );
  });

  stated(
    [
      's′_n = s_n + log(V / K)        s′_y = s_y',
      'L = log(exp(s_y) + Σ_{n ≠ y} exp(s′_n)) − s_y',
      '∂L/∂s_y = q_y − 1        ∂L/∂s_n = q_n,   q = softmax(s′)',
    ],
    () => {
      const y = 2;
      const V = 5;
      // Item 4 was drawn twice and counts twice; the target itself was drawn and is left out.
      const drawn = [4, 1, y, 4];
      const rivals = drawn.filter((n) => n !== y);
      const shift = Math.log(V / drawn.length);
      const q = softmax([S[y]!, ...rivals.map((n) => S[n]! + shift)]);
      agrees(
        of(sampledSoftmax, () => ({
          targets: ids(y),
          negatives: ids(...drawn),
          logSampling: tf.tensor1d([shift]),
        })),
        S,
        (s) => Math.log(Math.exp(s[y]!) + sum(rivals.map((n) => Math.exp(s[n]! + shift)))) - s[y]!,
        S.map((_, j) => (j === y ? q[0]! - 1 : sum(rivals.map((n, k) => (n === j ? q[k + 1]! : 0))))),
      );
    },
  );

  stated(['the expected value of the sum is the full sum over the items other'], () => {
    // Every way to draw K = 2 of V = 4 items, each as likely as the others; item 2 is the target.
    const [V, K, y] = [4, 2, 2];
    const items = [1, 2, 3, 4];
    const sums = items.flatMap((a) =>
      items.map((b) => sum([a, b].map((n) => (n === y ? 0 : (V / K) * Math.exp(S[n]!))))),
    );
    assertClose([mean(sums)], [sum(items.map((n) => (n === y ? 0 : Math.exp(S[n]!))))], 'expected sum');
  });

  stated(['L = max(x, 0) − x y + log(1 + exp(−|x|))', '∂L/∂x = σ(x) − y', 'σ(x) = 1 / (1 + exp(−x))'], () => {
    for (const y of [0, 1]) {
      for (const x of [-4, -0.3, 0.6, 5]) {
        const value = ([v]: readonly number[]): number =>
          Math.max(v!, 0) - v! * y + Math.log(1 + Math.exp(-Math.abs(v!)));
        agrees((t) => binaryCrossEntropy(t, tf.tensor2d([[y]])), [x], value, [sigmoid(x) - y]);
      }
      // Where the pieces meet the formula's derivative must be the code's as well.
      const gradient = valuesOf(() =>
        tf.grad((t) => binaryCrossEntropy(t, tf.tensor1d([y])))(tf.tensor1d([0])),
      );
      assertClose(gradient, [0.5 - y], 'at 0');
    }
  });

  stated(['the chosen item has the label 1, and the mean over its drawn negatives the label 0'], () => {
    const loss = (s: readonly number[]): number =>
      -Math.log(sigmoid(s[3]!)) - mean([s[1]!, s[4]!].map((v) => Math.log(1 - sigmoid(v))));
    agrees(
      of(bce, () => ({ targets: ids(3), negatives: tf.tensor2d([[1, 4]], undefined, 'int32') })),
      S,
      loss,
      [0, sigmoid(S[1]!) / 2, 0, sigmoid(S[3]!) - 1, sigmoid(S[4]!) / 2],
    );
  });

  stated(['L = (s − v)²', '∂L/∂s = 2 (s − v)'], () => {
    const v = 3.5;
    agrees(
      of(mse, () => ({ targets: ids(2), labels: tf.tensor1d([v]) })),
      S,
      (s) => (s[2]! - v) ** 2,
      [0, 0, 2 * (S[2]! - v), 0, 0],
    );
  });

  stated(['L = Σ w L_p / Σ w'], () => {
    const value = valuesOf(() => weightedMean(tf.tensor1d([3, 5, 100]), tf.tensor1d([1, 3, 0])));
    assertClose(value, [(3 + 15) / 4], 'mean');
  });
});

onBackend('cpu', 'docs/concepts.md: distillation', () => {
  const t = [1.5, 0.2, -0.4, 0.9, -2];

  stated(['L = T² · KL(p ‖ q) = T² Σ_j p_j (log p_j − log q_j)', '∂L/∂s_j = T (q_j − p_j)'], () => {
    for (const T of [0.5, 1, 2, 8]) {
      const soften = (x: readonly number[]): number[] => softmax(x.map((v) => v / T));
      const p = soften(t);
      agrees(
        (s) => softLabels(s, tf.tensor2d([t]), tf.tensor1d([1]), T),
        S,
        (s) => T * T * sum(soften(s).map((q, j) => p[j]! * (Math.log(p[j]!) - Math.log(q)))),
        soften(S).map((q, j) => T * (q - p[j]!)),
      );
    }
  });

  stated(['T (q_j − p_j) → ((s_j − mean(s)) − (t_j − mean(t))) / V'], () => {
    const T = 1e4;
    const [p, q] = [t, S].map((x) => softmax(x.map((v) => v / T)));
    assertClose(
      q!.map((v, j) => T * (v - p![j]!)),
      S.map((s, j) => (s - mean(S) - (t[j]! - mean(t))) / S.length),
      'limit',
      1e-3,
      0,
    );
  });

  stated(['L = ‖â − b̂‖² = 2 − 2 cos(a, b)', '∂L/∂a = (2 / ‖a‖) (cos(a, b) â − b̂)'], () => {
    const b = t;
    const cos = (a: readonly number[]): number => dot(a, b) / length(a) / length(b);
    const gradient = S.map((a, i) => (2 / length(S)) * ((cos(S) * a) / length(S) - b[i]! / length(b)));
    const identity = (): tf.Tensor2D => tf.eye(5);
    const code = (a: tf.Tensor2D): tf.Scalar =>
      featureAlignment(a, identity(), tf.tensor2d([b]), tf.tensor1d([1]));
    agrees(code, S, (a) => 2 - 2 * cos(a), gradient);
    assertClose([dot(gradient, S)], [0], 'at right angles to a', 1e-9, 0);
    const none = valuesOf(() => code(tf.zeros([1, 5])));
    assert.ok(Number.isFinite(none[0]), 'a zero vector');
  });
});

onBackend('cpu', 'docs/concepts.md: layers', () => {
  stated(
    [
      'x̂ = (x − μ) / √(σ² + 10⁻⁶)        y = γ ⊙ x̂ + β',
      '∂L/∂x = (g − mean(g) − x̂ ⊙ mean(g ⊙ x̂)) / √(σ² + 10⁻⁶),   g = γ ⊙ ∂L/∂y',
    ],
    () => {
      const gain = [1, 0.5, -2, 1.5, 0.1];
      const bias = [0, 1, -1, 0.3, 0.2];
      const upstream = [0.7, -0.2, 1.1, 0.4, -0.9];
      const parts = (x: readonly number[]) => {
        const centred = x.map((v) => v - mean(x));
        const deviation = Math.sqrt(mean(centred.map((v) => v * v)) + 1e-6);
        return { normed: centred.map((v) => v / deviation), deviation };
      };
      const { normed, deviation } = parts(S);
      const g = gain.map((v, i) => v * upstream[i]!);
      const along = mean(g.map((v, i) => v * normed[i]!));
      agrees(
        (x) =>
          tf.mul(
            norm(params({ 'n.gain': tf.tensor1d(gain), 'n.bias': tf.tensor1d(bias) }), 'n', x),
            tf.tensor2d([upstream]),
          ),
        S,
        (x) =>
          dot(
            upstream,
            parts(x).normed.map((v, i) => gain[i]! * v + bias[i]!),
          ),
        g.map((v, i) => (v - mean(g) - normed[i]! * along) / deviation),
      );
    },
  );

  stated(
    ['A = softmax(Q Kᵀ / √d + M) V', 'head, with queries Q, keys K and values V of width d = D / heads'],
    () => {
      // Two heads of width 2 over three positions; the projections are the identity, so Q = K = V = x.
      const x = [
        [1, 0.5, -1, 2],
        [0.2, -0.3, 0.8, 0.1],
        [-1.5, 0.4, 0.6, 1],
      ];
      const expected = x.map((row, i) =>
        [0, 2].flatMap((head) => {
          const part = (r: readonly number[]): number[] => r.slice(head, head + 2);
          const before = x.slice(0, i + 1).map(part);
          const weights = softmax(before.map((key) => dot(part(row), key) / Math.sqrt(2)));
          return [0, 1].map((c) => sum(before.map((value, j) => weights[j]! * value[c]!)));
        }),
      );
      const found = valuesOf(() => {
        const eye = tf.eye(4);
        const names = ['query', 'key', 'value', 'output'].map((part) => [`a.${part}`, eye] as const);
        const held = params({ ...Object.fromEntries(names), 'a.bias': tf.zeros([4]) });
        return attention(held, 'a', tf.tensor3d([x]), tf.zeros([1, 3]), 2, 0, INFERENCE);
      });
      assertClose(found, expected.flat(), 'attention', 1e-5, 1e-5);
    },
  );

  stated(['Dropout keeps a value with probability 1 − r and then divides it by 1 − r'], () => {
    const mask = [...dropoutMask(20_000, 0.25, 7)];
    assert.deepEqual([...new Set(mask)].sort(), [0, Math.fround(1 / 0.75)]);
    assertClose([mean(mask)], [1], 'mean', 0.02, 0);
  });
});
