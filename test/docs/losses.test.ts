import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../../src/compute/dropout.js';
import { bce, binaryCrossEntropy } from '../../src/model/losses/bce.js';
import { contrastive } from '../../src/model/losses/contrastive.js';
import { gbce } from '../../src/model/losses/gbce.js';
import type { Loss } from '../../src/model/losses/loss.js';
import { mse } from '../../src/model/losses/mse.js';
import { weightedMean } from '../../src/model/losses/reduce.js';
import { sampledSoftmax } from '../../src/model/losses/sampled-softmax.js';
import { softmax as softmaxLoss } from '../../src/model/losses/softmax.js';
import { Random } from '../../src/random.js';
import { drawNegatives } from '../../src/training/negatives.js';
import { assertClose, valuesOf } from '../suites/assertions.js';
import { onBackend } from '../suites/backends.js';
import { agrees, dot, length, mean, params, SCORES, sigmoid, softmax, stated, sum } from './formulas.js';

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
      's′_n = s_n − log(K q_n)        s′_y = s_y',
      'L = log(exp(s_y) + Σ_{n ≠ y} exp(s′_n)) − s_y',
      '∂L/∂s_y = p_y − 1        ∂L/∂s_n = p_n,   p = softmax(s′)',
    ],
    () => {
      const y = 2;
      // Item 4 was drawn twice and counts twice; the target itself was drawn and is left out.
      const drawn = [4, 1, y, 4];
      const probability = [0, 0.1, 0.3, 0.2, 0.4];
      const shift = (n: number): number => -Math.log(drawn.length * probability[n]!);
      const rivals = drawn.filter((n) => n !== y);
      const p = softmax([S[y]!, ...rivals.map((n) => S[n]! + shift(n))]);
      agrees(
        of(sampledSoftmax, () => ({
          targets: ids(y),
          negatives: ids(...drawn),
          logSampling: tf.tensor1d(drawn.map(shift)),
        })),
        S,
        (s) => Math.log(Math.exp(s[y]!) + sum(rivals.map((n) => Math.exp(s[n]! + shift(n))))) - s[y]!,
        S.map((_, j) => (j === y ? p[0]! - 1 : sum(rivals.map((n, k) => (n === j ? p[k + 1]! : 0))))),
      );
    },
  );

  stated(
    ['the expected value of the sum is the full sum over the items other', 'the correction is log(V / K)'],
    () => {
      // Every way to draw K = 2 of V = 4 items, with its probability; item 2 is the target.
      const [V, K, y] = [4, 2, 2];
      const items = [1, 2, 3, 4];
      for (const q of [
        [0, 0.25, 0.25, 0.25, 0.25],
        [0, 0.1, 0.2, 0.3, 0.4],
      ]) {
        const part = (n: number): number => (n === y ? 0 : Math.exp(S[n]! - Math.log(K * q[n]!)));
        const expected = sum(items.flatMap((a) => items.map((b) => q[a]! * q[b]! * (part(a) + part(b)))));
        assertClose([expected], [sum(items.map((n) => (n === y ? 0 : Math.exp(S[n]!))))], 'expected sum');
      }
      assertClose([-Math.log(K / V)], [Math.log(V / K)], 'uniform');
    },
  );

  stated(['L = −log(exp(cos(z, z′) / τ) / (exp(cos(z, z′) / τ) + Σ_ρ exp(cos(z, ρ) / τ)))'], () => {
    // Of two users and a padded row; the loss is the mean over the four views.
    const [first, second] = [
      [S, [2, 1, 0, -1, 0.5], [9, 9, 9, 9, 9]],
      [[0.1, -1, 2, 0.9, 0], [1, 1, 0, -2, 1], S],
    ];
    const temperature = 0.3;
    const power = (a: number[], b: number[]): number =>
      Math.exp(dot(a, b) / length(a) / length(b) / temperature);
    const views = [first![0]!, first![1]!, second![0]!, second![1]!];
    const losses = views.map((z, i) => {
      const partner = (i + 2) % 4;
      const rivals = [0, 1, 2, 3].filter((j) => j !== i && j !== partner);
      const own = power(z, views[partner]!);
      return -Math.log(own / (own + sum(rivals.map((j) => power(z, views[j]!)))));
    });
    const found = valuesOf(() =>
      contrastive(
        {
          first: tf.tensor2d(first!),
          second: tf.tensor2d(second!),
          users: ids(4, 7, 0),
          present: tf.tensor1d([1, 1, 0]),
        },
        temperature,
      ),
    );
    assertClose(found, [mean(losses)], 'loss');
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

  stated(
    [
      'p = σ(s + log(β / K))',
      'L = −(β log p_y + Σ_{n ≠ y} log(1 − p_n)) / (K + 1)',
      '∂L/∂s_y = β (p_y − 1) / (K + 1)        ∂L/∂s_n = p_n / (K + 1)',
    ],
    () => {
      const y = 3;
      const drawn = [1, y, 4];
      const power = 0.3;
      const share = 1 / (drawn.length + 1);
      const p = (s: number): number => sigmoid(s + Math.log(power / drawn.length));
      agrees(
        of(gbce, () => ({
          targets: ids(y),
          negatives: tf.tensor2d([drawn], undefined, 'int32'),
          power: tf.tensor1d([power]),
        })),
        S,
        (s) => -share * (power * Math.log(p(s[y]!)) + sum([1, 4].map((n) => Math.log(1 - p(s[n]!))))),
        [0, share * p(S[1]!), 0, share * power * (p(S[y]!) - 1), share * p(S[4]!)],
      );
    },
  );

  stated(['β = α (t (1 − 1/α) + 1/α) = 1 − t (1 − α),   α = K / (V − 1)'], () => {
    const need = ['groupedNegatives', 'power'] as const;
    for (const [K, V, t] of [
      [1, 9, 0.75],
      [4, 9, 0.2],
      [8, 9, 1],
    ] as const) {
      const { power } = drawNegatives(
        Int32Array.of(1),
        { need, count: K, items: V, calibration: t },
        new Random(1),
      );
      const a = K / (V - 1);
      assertClose(power!.data, [a * (t * (1 - 1 / a) + 1 / a)], 'as in the paper');
      assertClose(power!.data, [1 - t * (1 - a)], 'simplified');
    }
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
