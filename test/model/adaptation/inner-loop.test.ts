import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import {
  adapt,
  detached,
  type FastWeights,
  ORDERS,
  type Order,
} from '../../../src/model/adaptation/inner-loop.js';
import { assertClose, valuesOf } from '../../suites/assertions.js';
import { onEachBackend } from '../../suites/backends.js';

const RATE = 0.1;
const STEPS = 3;
/** Users' targets: the loss (w − t)² has gradient 2 (w − t), so each step keeps 1 − 2 · rate of the distance. */
const TARGETS = [
  [1, -2],
  [4, 0.5],
  [0, 0],
];
const KEEP = (1 - 2 * RATE) ** STEPS;

const distance = (targets: tf.Tensor2D) => (weights: FastWeights) =>
  tf.sum(tf.square(tf.sub(weights.get('w')!, targets)), 1) as tf.Tensor1D;

/** Users' weights after the steps, from one start [2] for all. */
const after = (start: tf.Tensor, order: Order, rate: number | tf.Tensor = RATE): tf.Tensor => {
  const targets = tf.tensor2d(TARGETS);
  const own = tf.mul(tf.expandDims(start, 0), tf.ones([3, 1]));
  return adapt(new Map([['w', own]]), distance(targets), {
    steps: STEPS,
    order,
    rate: () => rate,
  }).weights.get('w')!;
};

onEachBackend('the inner loop', () => {
  test('each user goes its own way, as far as is known of a quadratic loss', () => {
    const start = [0.5, 3];
    const found = valuesOf(() => after(tf.tensor1d(start), 'second'));
    const expected = TARGETS.flatMap((target) => target.map((t, d) => t + KEEP * (start[d]! - t)));
    assertClose(found, expected, 'weights', 1e-5);
  });

  test('the second order goes through the steps, the first past them', () => {
    // The sum over three users of their weights grows with the start by 3 (1 − 2 rate)^steps, or, past the steps, by 3.
    const slope = (order: Order): Float32Array =>
      valuesOf(() => tf.grad((start) => tf.sum(after(start, order)))(tf.tensor1d([0.5, 3])));
    assertClose(slope('second'), [3 * KEEP, 3 * KEEP], 'second order', 1e-5);
    assertClose(slope('first'), [3, 3], 'first order', 1e-5);
  });

  test('along the path the start moves to where the steps and one more on the loss lead', () => {
    const start = [0.5, 3];
    // The loss asked for: a mean over the users of (w − 2)², which the step after the others goes down.
    const loss = (w: tf.Tensor): tf.Scalar => tf.div(tf.sum(tf.square(tf.sub(w, 2))), 3);
    const gradient = valuesOf(() => tf.grad((s) => loss(after(s, 'path')))(tf.tensor1d(start)));
    const ends = TARGETS.map((target) =>
      target.map((t, d) => {
        const last = t + KEEP * (start[d]! - t);
        return last - RATE * 2 * (last - 2);
      }),
    );
    const expected = [0, 1].map((d) => ends.reduce((sum, end) => sum + (start[d]! - end[d]!), 0) / 3 / RATE);
    assertClose(gradient, expected, 'the way from the mean end to the start, over the rate', 1e-5);
  });

  test('a learned rate of each weight has the gradient of finite differences', () => {
    const of = (rates: tf.Tensor): tf.Scalar =>
      tf.sum(tf.square(after(tf.tensor1d([0.5, 3]), 'second', rates))) as tf.Scalar;
    const at = (first: number): number => valuesOf(() => of(tf.tensor1d([first, 0.2])))[0]!;
    const gradient = valuesOf(() => tf.grad(of)(tf.tensor1d([0.1, 0.2])));
    assertClose([gradient[0]!], [(at(0.105) - at(0.095)) / 0.01], 'slope', 1e-2, 1e-2);
  });

  test('a user whose steps diverge keeps the weights before them, and spoils nothing', () => {
    // Steps of 1.2 times the distance away from the minimum double it each time; the third user begins there, and stays.
    const steps = (rate: number) =>
      adapt(
        new Map([
          [
            'w',
            tf.tensor2d([
              [0.5, 3],
              [2, 2],
              [0, 0],
            ]),
          ],
        ]),
        distance(tf.tensor2d(TARGETS)),
        { steps: 8, order: 'second', rate: () => rate },
      );
    for (const rate of [1.5, 1e30]) {
      assertClose(
        valuesOf(() => steps(rate).diverged),
        [1, 1, 0],
        `diverged at rate ${rate}`,
      );
      assertClose(
        valuesOf(() => steps(rate).weights.get('w')!),
        [0.5, 3, 2, 2, 0, 0],
        'weights',
      );
    }
    const slope = (order: Order): Float32Array =>
      valuesOf(() => tf.grad((start) => tf.sum(after(start, order, 1e6)))(tf.tensor1d([1, 1])));
    for (const order of ORDERS) assertClose(slope(order), [3, 3], `three users who did not move, ${order}`);
    assertClose(
      valuesOf(() => steps(0.1).diverged),
      [0, 0, 0],
      'small steps do not',
    );
  });

  test('no step is the start itself, and what is detached has no gradient', () => {
    const unmoved = valuesOf(() => {
      const own = tf.tensor2d([[1, 2]]);
      const loss = distance(tf.tensor2d([[5, 5]]));
      return adapt(new Map([['w', own]]), loss, { steps: 0, order: 'second', rate: () => 1 }).weights.get(
        'w',
      )!;
    });
    assertClose(unmoved, [1, 2], 'start');
    const slope = valuesOf(() => tf.grad((x) => tf.sum(tf.add(detached(tf.mul(x, 7)), x)))(tf.scalar(2)));
    assertClose(slope, [1], 'slope');
  });
});
