import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { dropoutMask, INFERENCE, trainingPass } from '../../src/compute/dropout.js';
import { hash32 } from '../../src/random.js';
import { assertClose, valuesOf } from '../suites/assertions.js';
import { onEachBackend } from '../suites/backends.js';

describe('dropout mask', () => {
  test('zeros come at the rate and kept values are scaled, so that the mean stays 1', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer(), (tenths, seed) => {
        const rate = tenths / 10;
        const mask = dropoutMask(4000, rate, seed);
        const kept = mask.filter((v) => v !== 0);
        assert.ok(kept.every((v) => v === Math.fround(1 / (1 - rate))));
        // Five standard deviations of a binomial share.
        const allowed = 5 * Math.sqrt((rate * (1 - rate)) / 4000);
        assert.ok(Math.abs(1 - kept.length / 4000 - rate) < allowed, `${kept.length} kept at rate ${rate}`);
      }),
      { numRuns: 60 },
    );
  });

  test('neighbouring values and the masks of neighbouring steps are independent', () => {
    const n = 20000;
    const mask = (step: number): Float32Array =>
      dropoutMask(n, 0.5, hash32(`${step}/0/0`, 1)).map((v) => v - 1);
    const [a, b] = [mask(1), mask(2)];
    const agreement = (x: Float32Array, y: Float32Array, lag: number): number => {
      let sum = 0;
      for (let i = lag; i < n; i++) sum += x[i]! * y[i - lag]!;
      return Math.abs(sum / n);
    };
    const limit = 5 / Math.sqrt(n);
    for (const lag of [1, 2, 8, 32]) assert.ok(agreement(a, a, lag) < limit, `lag ${lag}`);
    assert.ok(agreement(a, b, 0) < limit, 'two steps');
  });

  test('seed 0 gives a mask like any other', () => {
    const mask = dropoutMask(1000, 0.5, 0);
    const kept = mask.filter((v) => v !== 0).length;
    assert.ok(kept > 400 && kept < 600, `${kept}`);
  });
});

onEachBackend('a training pass', () => {
  const draw = (seed: number, step: number, micro: number, calls = 1): number[] =>
    Array.from(
      valuesOf(() => {
        const pass = trainingPass(seed, step, micro);
        const drawn = Array.from({ length: calls }, () => pass.dropout(tf.ones([64]), 0.5));
        return drawn.at(-1)!;
      }),
    );

  test('is named by seed, step, micro-batch and call, and repeats', () => {
    const base = draw(1, 1, 0);
    assert.deepEqual(draw(1, 1, 0), base);
    const others = [draw(2, 1, 0), draw(1, 2, 0), draw(1, 1, 1), draw(1, 1, 0, 2)];
    for (const [k, other] of others.entries()) assert.notDeepEqual(other, base, `variation ${k}`);
  });

  test('gradients pass where values pass, and rate 0 and inference change nothing', () => {
    tf.tidy(() => {
      const x = tf.ones([64]);
      const gradient = tf
        .grad((v) => tf.sum(trainingPass(1, 1, 0).dropout(v, 0.5)))(x)
        .dataSync();
      assertClose(gradient, draw(1, 1, 0), 'gradient');
      assert.equal(trainingPass(1, 1, 0).dropout(x, 0), x);
      assert.equal(INFERENCE.dropout(x, 0.5), x);
    });
  });
});
