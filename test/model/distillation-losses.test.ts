import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../../src/compute/dropout.js';
import {
  featureAlignment,
  relationalAlignment,
} from '../../src/model/losses/distillation/feature-alignment.js';
import { rankingLoss } from '../../src/model/losses/distillation/ranking.js';
import { SOFT_CANDIDATES, softLabels } from '../../src/model/losses/distillation/soft-labels.js';
import type { DistillationContext } from '../../src/model/losses/distillation/teacher.js';
import type { Model } from '../../src/model/model.js';
import { assertClose, valuesOf } from '../suites/assertions.js';
import { onEachBackend } from '../suites/backends.js';

const ITEMS = 6;

/** Item j's score is the state's entry j − 1; padding's −10⁹. */
const unitVectors = () => ({
  vectors: tf.concat([tf.zeros([1, ITEMS]), tf.eye(ITEMS)]) as tf.Tensor2D,
  offset: tf.tensor1d([-1e9, ...Array.from({ length: ITEMS }, () => 0)]),
});
const MODEL = {
  candidates: unitVectors,
  logits: (_params, states, candidates) => {
    const { vectors, offset } = unitVectors();
    const all = tf.add(tf.matMul(states, vectors, false, true), offset);
    if (candidates === 'all') return all;
    const chosen = tf.oneHot(tf.cast(candidates, 'int32'), ITEMS + 1);
    return tf.sum(tf.mul(tf.expandDims(all, 1), chosen), -1);
  },
} as Pick<Model, 'candidates' | 'logits'> as Model;

interface Given {
  readonly ids: number[][];
  readonly probabilities: number[][];
  readonly top: number;
  readonly weights?: number[];
}

function contextOf(states: tf.Tensor2D, given: Given): DistillationContext {
  const { ids, probabilities, top, weights = ids.map(() => 1) } = given;
  return {
    model: MODEL,
    params: { get: () => assert.fail(), lookup: () => assert.fail() },
    states,
    inputs: { weights: tf.tensor1d(weights) },
    pass: INFERENCE,
    answers: { ids: tf.tensor2d(ids, undefined, 'int32'), probabilities: tf.tensor2d(probabilities), top },
    all: unitVectors(),
  };
}

/** Each loss on the teacher's answers, as a function of the student's states. */
const LOSSES: Record<string, (context: DistillationContext) => tf.Scalar> = {
  ...Object.fromEntries(
    SOFT_CANDIDATES.map((candidates) => [
      `soft labels, ${candidates}`,
      (context: DistillationContext) => softLabels(context, { temperature: 2, candidates, studentTop: 3 }),
    ]),
  ),
  ranking: (context) => rankingLoss(context, 2),
};

const ANSWER: Given = { ids: [[2, 5, 1, 4, 4]], probabilities: [[0.5, 0.2, 0.1, 0.05, 0.05]], top: 3 };

onEachBackend('distillation losses', () => {
  for (const [name, loss] of Object.entries(LOSSES)) {
    const at = (states: number[][], given: Given): { value: number; gradient: number[] } => {
      const { value, grad } = tf.valueAndGrad((s) => loss(contextOf(s as tf.Tensor2D, given)))(
        tf.tensor2d(states),
      );
      return { value: value.dataSync()[0]!, gradient: [...grad.dataSync()] };
    };

    test(`${name}: the gradient is that of finite differences`, () =>
      tf.tidy(() => {
        const state = [0.3, -1.1, 0.8, 0.2, -0.4, 0.1];
        const { gradient } = at([state], ANSWER);
        const h = 1e-2;
        const slopes = state.map((_, i) => {
          const moved = (by: number): number =>
            at([state.map((x, k) => (k === i ? x + by : x))], ANSWER).value;
          return (moved(h) - moved(-h)) / (2 * h);
        });
        assertClose(gradient, slopes, name, 2e-3);
      }));

    test(`${name}: positions of weight 0 and places without an item count for nothing`, () =>
      tf.tidy(() => {
        const state = [0.3, -1.1, 0.8, 0.2, -0.4, 0.1];
        const alone = at([state], ANSWER);
        const padded = at([state, [9, 9, 9, 9, 9, 9]], {
          ids: [ANSWER.ids[0]!, [0, 0, 0, 0, 0]],
          probabilities: [ANSWER.probabilities[0]!, [0, 0, 0, 0, 0]],
          top: 3,
          weights: [1, 0],
        });
        assertClose([padded.value], [alone.value], 'value', 1e-5);
        assertClose(padded.gradient, [...alone.gradient, 0, 0, 0, 0, 0, 0], 'gradient', 1e-5);
      }));

    test(`${name}: logits of ±10⁴ give finite values and gradients, and the better order the lower loss`, () =>
      tf.tidy(() => {
        const wrong = at([[1e4, -1e4, 0, 0, 0, 0]], ANSWER);
        assert.ok(Number.isFinite(wrong.value) && wrong.gradient.every(Number.isFinite), name);
        const order = [1, 3, 0, 0, 2, 0];
        assert.ok(at([order], ANSWER).value < at([order.map((x) => -x)], ANSWER).value);
      }));
  }

  test('soft labels: at the teacher’s own logits the gradient is 0, over all items and over those kept', () =>
    tf.tidy(() => {
      const logits = [0.2, 2, -1, 0.5, 1.2, 0];
      const powers = logits.map((x) => Math.exp(x / 2));
      const p = powers.map((x) => x / powers.reduce((a, b) => a + b, 0));
      const given = {
        ids: [[2, 5, 4, 1, 6, 3]],
        probabilities: [[2, 5, 4, 1, 6, 3].map((j) => p[j - 1]!)],
        top: 6,
      };
      for (const candidates of SOFT_CANDIDATES) {
        const options = { temperature: 2, candidates, studentTop: 2 };
        const gradient = tf.grad((s) => softLabels(contextOf(s as tf.Tensor2D, given), options))(
          tf.tensor2d([logits]),
        );
        assertClose(gradient.dataSync(), [0, 0, 0, 0, 0, 0], candidates, 1e-5);
      }
    }));

  test('alignment: 0 for equal directions, 2 for orthogonal, 4 for opposite ones, at any scale', () => {
    const same = [
      [1, 0],
      [0, 1],
    ];
    const align = (student: number[][], projection: number[][], teacher: number[][]): number =>
      valuesOf(() =>
        featureAlignment(
          'cosine',
          tf.tensor2d(student),
          tf.tensor2d(projection),
          tf.tensor2d(teacher),
          tf.ones([student.length]),
        ),
      )[0]!;
    assertClose([align([[2, 1]], same, [[200, 100]])], [0], 'equal', 1e-5);
    assertClose([align([[0.3, 0]], same, [[0, 7]])], [2], 'orthogonal', 1e-5);
    assertClose([align([[2, 1]], same, [[-4, -2]])], [4], 'opposite', 1e-5);
  });

  test('alignment of every kind: zero vectors and positions that are the same give finite gradients', () =>
    tf.tidy(() => {
      const zeros = tf.zeros([4, 3]) as tf.Tensor2D;
      const teacher = tf.tensor2d([
        [0, 0, 0],
        [0, 0, 0],
        [1, 2, 3],
        [1, 2, 3],
      ]);
      const weights = tf.tensor1d([1, 1, 1, 0]);
      for (const gradient of [
        tf.grad((s) => featureAlignment('cosine', s as tf.Tensor2D, tf.eye(3), teacher, weights))(zeros),
        tf.grad((s) => featureAlignment('mse', s as tf.Tensor2D, tf.eye(3), teacher, weights))(zeros),
        tf.grad((s) => relationalAlignment(s as tf.Tensor2D, teacher, weights))(zeros),
      ])
        assert.ok(gradient.dataSync().every(Number.isFinite));
    }));
});
