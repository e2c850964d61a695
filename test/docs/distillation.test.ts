import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../../src/compute/dropout.js';
import {
  featureAlignment,
  relationalAlignment,
} from '../../src/model/losses/distillation/feature-alignment.js';
import { rankingLoss } from '../../src/model/losses/distillation/ranking.js';
import { softLabels } from '../../src/model/losses/distillation/soft-labels.js';
import { sharesOf, type TeacherAnswers } from '../../src/model/losses/distillation/teacher.js';
import { assertClose, valuesOf } from '../suites/assertions.js';
import { onBackend } from '../suites/backends.js';
import { agrees, dot, length, mean, params, SCORES, softmax, stated, sum } from './formulas.js';

const S = [0.3, -1.2, 2.1, 0.4, -0.7];

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
