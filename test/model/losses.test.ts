import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { INFERENCE } from '../../src/compute/dropout.js';
import { logSumExp } from '../../src/compute/ops/log-sum-exp.js';
import { ParameterStore } from '../../src/compute/parameters.js';
import { bce, binaryCrossEntropy } from '../../src/model/losses/bce.js';
import { gbce } from '../../src/model/losses/gbce.js';
import { mse } from '../../src/model/losses/mse.js';
import { weightedMean } from '../../src/model/losses/reduce.js';
import { sampledSoftmax } from '../../src/model/losses/sampled-softmax.js';
import { softmax } from '../../src/model/losses/softmax.js';
import type { Model } from '../../src/model/model.js';
import { assertClose, valuesOf } from '../suites/assertions.js';
import { onBackend, onEachBackend } from '../suites/backends.js';

/** A model of two items whose logits are its states: item j's logit is the state's entry j. */
const IDENTITY = {
  name: 'identity',
  logits: (_params, states, candidates) => {
    if (candidates === 'all') return states;
    const oneHot = tf.oneHot(tf.cast(candidates, 'int32'), states.shape[1]);
    if (candidates.rank === 1) return tf.matMul(states, oneHot as tf.Tensor2D, false, true);
    return tf.sum(tf.mul(tf.expandDims(states, 1), oneHot), -1) as tf.Tensor2D;
  },
} as Pick<Model, 'name' | 'logits'> as Model;

/** A loss on given logits [P][V + 1]. */
function lossOn(
  loss: { compute: typeof bce.compute },
  logits: number[][],
  inputs: Record<string, tf.TensorLike>,
  integers = ['targets', 'negatives'],
): number {
  const store = new ParameterStore(new Map());
  const [value] = valuesOf(() =>
    loss.compute({
      model: IDENTITY,
      params: store.reader(),
      states: tf.tensor2d(logits),
      inputs: Object.fromEntries(
        Object.entries(inputs).map(([name, v]) => [
          name,
          tf.tensor(v, undefined, integers.includes(name) ? 'int32' : 'float32'),
        ]),
      ),
      pass: INFERENCE,
    }),
  );
  return value!;
}

onEachBackend('losses', () => {
  test('softmax: −log of the target’s probability, averaged by weight', () => {
    // Probabilities of [ln 1, ln 2, ln 5] are 1/8, 2/8, 5/8.
    const logits = [
      [0, Math.log(2), Math.log(5)],
      [0, 0, 0],
    ];
    const value = lossOn(softmax, logits, { targets: [2, 1], weights: [3, 1] });
    assertClose([value], [(3 * Math.log(8 / 5) + Math.log(3)) / 4], 'loss');
  });

  test('sampled softmax with every other item as a negative is the full softmax', () => {
    const logits = [
      [-1e9, 0.3, -1.2, 2.1, 0.4],
      [-1e9, 1.3, 0.2, -0.1, -2],
    ];
    const weights = [1, 0.5];
    const full = lossOn(softmax, logits, { targets: [3, 2], weights });
    const sampled = lossOn(sampledSoftmax, logits, {
      targets: [3, 2],
      weights,
      negatives: [1, 2, 3, 4],
      logSampling: [0],
    });
    assertClose([sampled], [full], 'loss', 1e-6);
  });

  test('sampled softmax scales the negatives it drew up to the catalogue, and masks its own target', () => {
    // Two negatives of four items: each counts twice; item 1 is the target and is left out.
    const value = lossOn(sampledSoftmax, [[0, 1, 2, 3, 4]], {
      targets: [1],
      weights: [1],
      negatives: [1, 3],
      logSampling: [Math.log(2)],
    });
    assertClose([value], [Math.log(Math.E + 2 * Math.exp(3)) - 1], 'loss');
  });

  test('bce on labels is the formula; on next items it adds the mean over own negatives', () => {
    const logSigmoid = (x: number): number => -Math.log(1 + Math.exp(-x));
    const labelled = lossOn(
      bce,
      [
        [0, 2],
        [0, -1],
      ],
      { targets: [1, 1], labels: [1, 0], weights: [1, 3] },
    );
    assertClose([labelled], [(-logSigmoid(2) - 3 * logSigmoid(1)) / 4], 'label');
    const next = lossOn(bce, [[0, 2, -1, 0.5]], { targets: [1], negatives: [[2, 3]], weights: [1] });
    assertClose([next], [-logSigmoid(2) - (logSigmoid(1) + logSigmoid(-0.5)) / 2], 'next item');
  });

  test('sampled softmax takes off each negative’s own log(K q)', () => {
    // Two draws, item 3 with probability ¾ and item 2 with ¼: 3 stands for 1 / 1.5 of itself, 2 for 1 / 0.5.
    const value = lossOn(sampledSoftmax, [[0, 1, 2, 3, 4]], {
      targets: [1],
      weights: [1],
      negatives: [3, 2],
      logSampling: [-Math.log(1.5), -Math.log(0.5)],
    });
    const sum = Math.E + Math.exp(3) / 1.5 + Math.exp(2) / 0.5;
    assertClose([value], [Math.log(sum) - 1], 'loss');
  });

  test('gbce: β weighs the positive, a group’s negatives are summed, the own target is none of them', () => {
    const logSigmoid = (x: number): number => -Math.log(1 + Math.exp(-x));
    const logits = [
      [0, 2, -1, 0.5],
      [0, 1, 3, -2],
    ];
    // K = 3 negatives: probabilities are σ(logit + log(0.4 / 3)).
    const prior = Math.log(0.4 / 3);
    const given = { targets: [1, 2], weights: [3, 1], power: [0.4] };
    const first = 0.4 * logSigmoid(2 + prior) + 2 * logSigmoid(1 - prior) + logSigmoid(-0.5 - prior);
    const one = lossOn(gbce, logits, { ...given, negatives: [[2, 3, 2]] });
    const second = 0.4 * logSigmoid(3 + prior) + logSigmoid(2 - prior);
    assertClose([one], [-(3 * first + second) / 4 / 4], 'one group');
    const apart = [
      [2, 3, 2],
      [1, 1, 2],
    ];
    const own = 0.4 * logSigmoid(3 + prior) + 2 * logSigmoid(-1 - prior);
    assertClose([lossOn(gbce, logits, { ...given, negatives: apart })], [-(3 * first + own) / 4 / 4], 'two');
  });

  test('gbce: groups that do not divide the positions leave the last ones fewer, or none', () => {
    const logits = [1, 2, 3, 4, 5].map((v) => [0, v, -v, v / 2]);
    const given = { targets: [1, 1, 1, 1, 1], weights: [1, 1, 1, 1, 1], power: [0.5] };
    const shared = lossOn(gbce, logits, { ...given, negatives: [[2, 3]] });
    for (const groups of [2, 3, 4, 5, 7]) {
      const negatives = Array.from({ length: groups }, () => [2, 3]);
      assertClose([lossOn(gbce, logits, { ...given, negatives })], [shared], `${groups} groups`);
    }
  });

  test('gbce with β = 1 and one negative is half of bce', () => {
    const logits = [[0, 2, -1, 0.5]];
    const shared = { targets: [1], weights: [1] };
    const one = lossOn(gbce, logits, { ...shared, negatives: [[3]], power: [1] });
    assertClose([one], [lossOn(bce, logits, { ...shared, negatives: [[3]] }) / 2], 'loss');
  });

  test('gbce: at logits of 0, where training begins, the mean logit has no gradient', () => {
    // Two items of which each is chosen as often, and both are drawn: nothing is known, and nothing pulls them up or down.
    const store = new ParameterStore(new Map());
    const inputs = {
      targets: tf.tensor1d([1, 2], 'int32'),
      weights: tf.tensor1d([1, 1]),
      negatives: tf.tensor2d([[2], [1]], undefined, 'int32'),
      power: tf.tensor1d([0.5]),
    };
    const gradient = tf.tidy(() =>
      tf
        .grad((shift) =>
          gbce.compute({
            model: IDENTITY,
            params: store.reader(),
            states: tf.mul(tf.ones([2, 3]), shift) as tf.Tensor2D,
            inputs,
            pass: INFERENCE,
          }),
        )(tf.scalar(0))
        .dataSync(),
    );
    // ½ (σ(log ½) − 1) + σ(log ½) = ½ (⅓ − 1) + ⅓ = 0, over K + 1 = 2.
    assertClose(gradient, [0], 'gradient');
    tf.dispose(inputs);
  });

  test('mse is the weighted mean of squared errors', () => {
    const value = lossOn(
      mse,
      [
        [0, 3],
        [0, 5],
      ],
      { targets: [1, 1], labels: [4, 2], weights: [1, 3] },
    );
    assertClose([value], [(1 + 3 * 9) / 4], 'loss');
  });

  test('logits of ±10⁴ give finite losses and gradients', () => {
    for (const [x, y, expected] of [
      [1e4, 1, 0],
      [1e4, 0, 1e4],
      [-1e4, 1, 1e4],
      [-1e4, 0, 0],
    ] as const) {
      const gradient = tf.tidy(() =>
        tf
          .grad((v) => tf.sum(binaryCrossEntropy(v, tf.tensor1d([y]))))(tf.tensor1d([x]))
          .dataSync(),
      );
      assertClose(
        valuesOf(() => binaryCrossEntropy(tf.tensor1d([x]), tf.tensor1d([y]))),
        [expected],
        `bce ${x}, ${y}`,
      );
      assertClose(gradient, [x > 0 ? 1 - y : -y], `gradient of bce at ${x}, ${y}`);
    }
    assertClose([lossOn(softmax, [[-1e4, 1e4, -1e4]], { targets: [2], weights: [1] })], [2e4], 'softmax');
    assertClose([lossOn(softmax, [[-1e4, 1e4, -1e4]], { targets: [1], weights: [1] })], [0], 'softmax');
    const far = { targets: [1], weights: [1], negatives: [2, 2], logSampling: [0] };
    assertClose([lossOn(sampledSoftmax, [[0, -1e4, 1e4]], far)], [2e4 + Math.log(2)], 'sampled softmax');
    const apart = { targets: [1], weights: [1], negatives: [[2]], power: [1] };
    assertClose([lossOn(gbce, [[0, -1e4, 1e4]], apart)], [1e4], 'gbce');
  });

  test('the gradient of bce is σ(x) − y, at x = 0 as well', () => {
    const at = (x: number, y: number): number =>
      tf.tidy(
        () =>
          tf
            .grad((v) => tf.sum(binaryCrossEntropy(v, tf.tensor1d([y]))))(tf.tensor1d([x]))
            .dataSync()[0]!,
      );
    assertClose([at(0, 0), at(0, 1), at(2, 1)], [0.5, -0.5, 1 / (1 + Math.exp(-2)) - 1], 'gradient');
  });

  test('positions of weight 0 change neither a loss nor a gradient; all weights 0 give 0', () => {
    const gradient = (logits: number[][], weights: number[]): number[] =>
      tf.tidy(() => {
        const loss = (z: tf.Tensor): tf.Scalar =>
          weightedMean(logSumExp(z as tf.Tensor2D), tf.tensor1d(weights));
        return [...tf.grad(loss)(tf.tensor2d(logits)).dataSync()];
      });
    assertClose(
      gradient(
        [
          [1, 2],
          [900, -900],
        ],
        [1, 0],
      ),
      [...gradient([[1, 2]], [1]), 0, 0],
      'gradient',
    );
    assert.equal(lossOn(softmax, [[1, 2, 3]], { targets: [1], weights: [0] }), 0);
  });

  test('logSumExp: value and gradient against exact arithmetic, for rows near and far apart', () => {
    const rows = [
      [0, 0, 0, 0],
      [1e4, 1e4 - 1, -1e4, 3],
      [-1e9, -3, 2, 0.5],
    ];
    const expected = rows.map((row) => {
      const top = Math.max(...row);
      return top + Math.log(row.reduce((sum, x) => sum + Math.exp(x - top), 0));
    });
    assertClose(
      valuesOf(() => logSumExp(tf.tensor2d(rows))),
      expected,
      'value',
      1e-5,
      1e-7,
    );
    const gradient = tf.tidy(() =>
      tf
        .grad((z) => tf.sum(logSumExp(z as tf.Tensor2D)))(tf.tensor2d(rows))
        .dataSync(),
    );
    // The saved value has float32's resolution at 10⁴: about 10⁻³.
    const softmaxes = rows.flatMap((row, r) => row.map((x) => Math.exp(x - expected[r]!)));
    assertClose(gradient, softmaxes, 'gradient', 2e-3);
  });
});

onBackend('cpu', 'logSumExp over random rows', () => {
  test('its gradient is a distribution', () => {
    const logit = fc.double({ min: -50, max: 50, noNaN: true });
    fc.assert(
      fc.property(fc.array(logit, { minLength: 1, maxLength: 8 }), (row) => {
        const gradient = tf.tidy(() =>
          tf
            .grad((z) => tf.sum(logSumExp(z as tf.Tensor2D)))(tf.tensor2d([row]))
            .dataSync(),
        );
        assertClose([Float32Array.from(gradient).reduce((a, b) => a + b, 0)], [1], 'sum', 1e-4);
        assert.ok(gradient.every((g) => g >= 0));
      }),
      { numRuns: 50 },
    );
  });
});
