import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../../src/compute/dropout.js';
import { bce, binaryCrossEntropy } from '../../src/model/losses/bce.js';
import { contrastive } from '../../src/model/losses/contrastive.js';
import {
  featureAlignment,
  relationalAlignment,
} from '../../src/model/losses/distillation/feature-alignment.js';
import { rankingLoss } from '../../src/model/losses/distillation/ranking.js';
import { softLabels } from '../../src/model/losses/distillation/soft-labels.js';
import { sharesOf, type TeacherAnswers } from '../../src/model/losses/distillation/teacher.js';
import { gbce } from '../../src/model/losses/gbce.js';
import type { Loss } from '../../src/model/losses/loss.js';
import { mse } from '../../src/model/losses/mse.js';
import { weightedMean } from '../../src/model/losses/reduce.js';
import { sampledSoftmax } from '../../src/model/losses/sampled-softmax.js';
import { softmax as softmaxLoss } from '../../src/model/losses/softmax.js';
import type { Model } from '../../src/model/model.js';
import { Random } from '../../src/random.js';
import { drawNegatives } from '../../src/training/negatives.js';
import { assertClose, valuesOf } from '../suites/assertions.js';
import { onBackend } from '../suites/backends.js';
import { agrees, dot, length, mean, params, sigmoid, softmax, stated, sum } from './formulas.js';

/** A model whose logits are its states: the state's entry j is item j's score. */
const SCORES = {
  logits: (_params, states, candidates) => {
    if (candidates === 'all') return states;
    const chosen = tf.oneHot(tf.cast(candidates, 'int32'), states.shape[1]);
    if (candidates.rank === 1) return tf.matMul(states, chosen as tf.Tensor2D, false, true);
    return tf.sum(tf.mul(tf.expandDims(states, 1), chosen), -1) as tf.Tensor2D;
  },
} as Pick<Model, 'logits'> as Model;

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

onBackend('cpu', 'docs/concepts.md: distillation', () => {
  const t = [1.5, 0.2, -0.4, 0.9, -2];

  /** Of item j the logit t_j; padding has none. */
  const T_ALL = [-1e9, ...t];
  const S_ALL = [-1e9, 0.3, -1.2, 2.1, 0.4, -0.7];

  /** The teacher's answer at temperature T: its K best, and those drawn. */
  const answers = (T: number, top: number, drawn: readonly number[] = []): TeacherAnswers => {
    const p = softmax(T_ALL.map((v) => v / T));
    const best = [1, 2, 3, 4, 5].sort((a, b) => p[b]! - p[a]!).slice(0, top);
    const kept = [...best, ...drawn];
    return {
      ids: tf.tensor2d([kept], [1, kept.length], 'int32'),
      probabilities: tf.tensor2d([kept.map((item) => p[item]!)]),
      top,
    };
  };
  const context = (states: tf.Tensor2D, given: TeacherAnswers) => ({
    model: SCORES,
    params: params(),
    states,
    inputs: { weights: tf.tensor1d([1]) },
    pass: INFERENCE,
    answers: given,
    all: undefined,
  });

  stated(['L = −T² Σ_j p_j log q_j', '∂L/∂s_j = T (q_j − p_j)'], () => {
    for (const temperature of [0.5, 1, 2, 8]) {
      const soften = (x: readonly number[]): number[] => softmax(x.map((v) => v / temperature));
      const p = soften(T_ALL);
      const all = { temperature, candidates: 'all', studentTop: 1 } as const;
      agrees(
        (s) => softLabels(context(s, answers(temperature, 5)), all),
        S_ALL,
        (s) => -(temperature ** 2) * sum(soften(s).map((q, j) => (j === 0 ? 0 : p[j]! * Math.log(q)))),
        soften(S_ALL).map((q, j) => temperature * (q - p[j]!)),
      );
    }
  });

  stated(['share_j = p_j (kept as one of the best)        share_j = (1 − Σ_best p) / n (drawn)'], () => {
    // Teacher's best: 1 and 4. Drawn from 2, 3 and 5, n = 3: item 2 twice, for it is the likeliest.
    const given = answers(1, 2, [2, 2, 3]);
    const p = softmax(T_ALL);
    const rest = 1 - p[1]! - p[4]!;
    assertClose(
      valuesOf(() => sharesOf(given)),
      [p[1]!, p[4]!, rest / 3, rest / 3, rest / 3],
      'shares',
    );
  });

  stated(
    [
      "those kept; a drawn one's logit has log((1 − Σ_best p) / (n p_j)) added, for the items that it stands for",
    ],
    () => {
      const p = softmax(T_ALL);
      const rest = 1 - p[1]! - p[4]!;
      const shares = [0, p[1]!, rest / 2, rest / 2, p[4]!, 0];
      const shift = [0, 0, Math.log(rest / (2 * p[2]!)), Math.log(rest / (2 * p[3]!)), 0, 0];
      const sampled = { temperature: 1, candidates: 'sampled', studentTop: 1 } as const;
      const corrected = (s: readonly number[]): number[] => [1, 2, 3, 4].map((j) => s[j]! + shift[j]!);
      const q = softmax(corrected(S_ALL));
      agrees(
        (s) => softLabels(context(s, answers(1, 2, [2, 3])), sampled),
        S_ALL,
        (s) =>
          Math.log(sum(corrected(s).map((v) => Math.exp(v)))) -
          sum(s.map((v, j) => (j === 0 ? 0 : shares[j]! * v))),
        [0, 1, 2, 3, 4, 5].map((j) => (j >= 1 && j <= 4 ? q[j - 1]! - shares[j]! : 0)),
      );
    },
  );

  stated(["the student's own `soft.studentTop` best"], () => {
    // The teacher's best: 1 and 4, with shares p over their sum. The student's: 3 and 4, of which 4 is there already.
    const p = softmax(T_ALL);
    const shares = [p[1]!, p[4]!].map((x) => x / (p[1]! + p[4]!));
    const q = softmax([S_ALL[1]!, S_ALL[4]!, S_ALL[3]!]);
    const union = { temperature: 1, candidates: 'union', studentTop: 2 } as const;
    agrees(
      (s) => softLabels(context(s, answers(1, 2, [5])), union),
      S_ALL,
      (s) => Math.log(sum([1, 3, 4].map((j) => Math.exp(s[j]!)))) - shares[0]! * s[1]! - shares[1]! * s[4]!,
      [0, q[0]! - shares[0]!, 0, q[2]!, q[1]! - shares[1]!, 0],
    );
  });

  stated(['L = −(1/K) Σ_k log(exp(s_k) / (Σ_{i ≥ k} exp(s_i) + Σ_drawn exp(s_j)))'], () => {
    const value = ([, s1, s2, , s4, s5]: readonly number[]): number => {
      const [a, b, x, y] = [s1, s4, s2, s5].map((v) => Math.exp(v!)) as [number, number, number, number];
      return -(Math.log(a / (a + b + x + y)) + Math.log(b / (b + x + y))) / 2;
    };
    const [a, b, x, y] = [S_ALL[1]!, S_ALL[4]!, S_ALL[2]!, S_ALL[5]!].map(Math.exp) as [
      number,
      number,
      number,
      number,
    ];
    const [one, two] = [a + b + x + y, b + x + y];
    agrees((s) => rankingLoss(context(s, answers(1, 3, [2, 5])), 2), S_ALL, value, [
      0,
      (a / one - 1) / 2,
      (x / one + x / two) / 2,
      0,
      (b / one + b / two - 1) / 2,
      (y / one + y / two) / 2,
    ]);
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
      featureAlignment('cosine', a, identity(), tf.tensor2d([b]), tf.tensor1d([1]));
    agrees(code, S, (a) => 2 - 2 * cos(a), gradient);
    assertClose([dot(gradient, S)], [0], 'at right angles to a', 1e-9, 0);
    const none = valuesOf(() => code(tf.zeros([1, 5])));
    assert.ok(Number.isFinite(none[0]), 'a zero vector');
  });

  stated(['L = ‖a − b‖² / D'], () => {
    agrees(
      (a) => featureAlignment('mse', a, tf.eye(5), tf.tensor2d([t]), tf.tensor1d([1])),
      S,
      (a) => mean(a.map((v, d) => (v - t[d]!) ** 2)),
      S.map((v, d) => (2 * (v - t[d]!)) / 5),
    );
  });

  stated(
    [
      'd_ij = ‖h_i − h_j‖ / mean        e = d_ij − d′_ij        L = mean(e² / 2 where |e| ≤ 1, else |e| − 1/2)',
    ],
    () => {
      // Distances 3, 4, 5 of a right triangle, and 0, 6, 6 of three points of which two are one.
      const student = [
        [0, 0],
        [3, 0],
        [0, 4],
        [9, 9],
      ];
      const teacher = [[0], [0], [6], [7]];
      const relations = (weights: number[]): number =>
        valuesOf(() =>
          relationalAlignment(tf.tensor2d(student), tf.tensor2d(teacher), tf.tensor1d(weights)),
        )[0]!;
      const errors = [3 / 4 - 0, 4 / 4 - 6 / 4, 5 / 4 - 6 / 4];
      assertClose([relations([1, 1, 1, 0])], [mean(errors.map((e) => (e * e) / 2))], 'relations', 1e-3);
      const far = valuesOf(() =>
        relationalAlignment(
          tf.tensor2d([[0], [1], [1000]]),
          tf.tensor2d([[0], [1], [2]]),
          tf.tensor1d([1, 1, 1]),
        ),
      )[0]!;
      const d = [1, 999, 1000].map((x) => (3 * x) / 2000);
      const e = [d[0]! - 3 / 4, d[1]! - 3 / 4, d[2]! - 6 / 4].map(Math.abs);
      assertClose([far], [mean(e.map((x) => (x <= 1 ? (x * x) / 2 : x - 0.5)))], 'Huber', 1e-3);
    },
  );
});
