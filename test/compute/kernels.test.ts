import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { graphPass, INFERENCE, randomKey } from '../../src/compute/dropout.js';
import { composedAttention, fusedAttention } from '../../src/compute/ops/attention.js';
import { composedEmbeddingBag, fusedEmbeddingBag } from '../../src/compute/ops/embedding-bag.js';
import { hasBfloat16, inPrecision, type Kernel, kernels } from '../../src/compute/ops/kernel.js';
import { composedLayerNorm, fusedLayerNorm } from '../../src/compute/ops/layer-norm.js';
import { composedLinear, fusedLinear } from '../../src/compute/ops/linear.js';
import { composedOwnLogits, fusedOwnLogits } from '../../src/compute/ops/own-logits.js';
import {
  composedSoftmaxLoss,
  type DotCandidates,
  fusedSoftmaxLoss,
  type Targets,
} from '../../src/compute/ops/softmax-loss.js';
import { selectBackend } from '../../src/compute/select.js';
import { Random } from '../../src/random.js';
import { assertClose, assertNoLeak } from '../suites/assertions.js';

const rng = new Random(11);
const normal = (...shape: number[]): tf.Tensor =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal()),
    shape,
  );
const ids = (n: number, below: number): tf.Tensor1D =>
  tf.tensor1d(
    Array.from({ length: n }, () => rng.int(below)),
    'int32',
  );

type Fn = (...args: tf.Tensor[]) => tf.Tensor;

/** Value and every gradient of a random projection of the output. */
function slopes(f: Fn, args: readonly tf.Tensor[]): Float32Array[] {
  const weights = new Random(3);
  return tf.tidy(() => {
    const value = f(...args);
    const along = Float32Array.from({ length: value.size }, () => weights.normal());
    const scalar: Fn = (...x) => tf.sum(tf.mul(f(...x), tf.tensor(along, value.shape)));
    return [value, ...tf.grads(scalar)([...args])].map((t) => Float32Array.from(t.dataSync()));
  });
}

/** The largest error a tensor, as a share of its largest value. */
function errors(fused: Fn, composed: Fn, args: readonly tf.Tensor[]): number[] {
  const expected = slopes(composed, args);
  return slopes(fused, args).map((found, i) => {
    const largest = Math.max(...expected[i]!.map(Math.abs), 1e-6);
    return Math.max(...found.map((x, k) => Math.abs(x - expected[i]![k]!))) / largest;
  });
}

/** Rounded to 8 binary digits, the inputs of a product are off by up to 1/256 each. */
function assertRounded(fused: Fn, composed: Fn, args: readonly tf.Tensor[], name: string): void {
  const found = errors((...x) => inPrecision('bfloat16', () => fused(...x)), composed, args);
  assert.ok(Math.max(...found) < 0.03, `${name}: ${found}`);
  assert.ok(Math.max(...found) > 0, `${name}: nothing was rounded`);
}

function assertExact(fused: Fn, composed: Fn, args: readonly tf.Tensor[], name: string): void {
  const expected = slopes(composed, args);
  slopes(fused, args).forEach((found, i) => {
    assertClose([...found], [...expected[i]!], `${name}: ${i ? `gradient ${i}` : 'value'}`, 1e-4, 1e-4);
  });
}

function assertSame(fused: Fn, composed: Fn, args: readonly tf.Tensor[], name: string): void {
  assertExact(fused, composed, args, name);
  // A ReLU at 0 turns over for the least rounding.
  if (hasBfloat16() && !/relu/.test(name)) assertRounded(fused, composed, args, name);
}

let kernel: Kernel;
const skip = await selectBackend('tensorflow').then(
  () => (kernels() ? false : 'this processor or install has no fused operations'),
  () => 'the native backend is not installed',
);

describe('fused operations equal what they replace, in value and gradients', { skip }, () => {
  before(async () => {
    await selectBackend('tensorflow');
    kernel = kernels()!;
  });

  for (const [rows, width] of [
    [1, 4],
    [7, 5],
    [300, 64],
  ] as const) {
    test(`layer norm of ${rows} × ${width}`, () => {
      const args = [normal(rows, width), normal(width), normal(width)];
      const fused: Fn = (x, g, b) => fusedLayerNorm(kernel, x!, g!, b!);
      assertExact(fused, (x, g, b) => composedLayerNorm(x!, g!, b!), args, 'norm');
    });
  }

  for (const activation of ['none', 'relu'] as const) {
    for (const [rows, inner, outer] of [
      [1, 3, 2],
      [130, 8, 24],
      [2049, 16, 5],
    ] as const) {
      test(`linear ${activation} of ${rows} × ${inner} to ${outer}`, () => {
        const args = [normal(rows, inner), normal(inner, outer), normal(outer)];
        assertSame(
          (x, w, b) => fusedLinear(kernel, x as tf.Tensor2D, w!, b!, activation),
          (x, w, b) => composedLinear(x as tf.Tensor2D, w as tf.Tensor2D, b, activation),
          args,
          `linear ${activation}`,
        );
      });
    }
  }

  const DIRECTIONS = ['causal', 'both'] as const;
  for (const { length, heads, width, padding } of [
    { length: 1, heads: 1, width: 4, padding: [0, 1] },
    { length: 5, heads: 2, width: 4, padding: [0, 3, 5] },
    { length: 64, heads: 1, width: 8, padding: [0, 10] },
    { length: 150, heads: 2, width: 16, padding: [0, 70, 149] },
  ]) {
    for (const direction of DIRECTIONS)
      test(`attention (${direction}) over ${length} positions, ${heads} heads, histories padded by ${padding}`, () => {
        const batch = padding.length;
        const absent = tf.tensor2d(
          padding.flatMap((n) => Array.from({ length }, (_, i) => Number(i < n))),
          [batch, length],
        );
        const of = (qkv: tf.Tensor) => ({ qkv: qkv as tf.Tensor3D, absent, heads, direction, rate: 0 });
        assertSame(
          (x) => fusedAttention(kernel, of(x!), INFERENCE),
          (x) => composedAttention(of(x!), INFERENCE),
          [normal(batch, length, 3 * width)],
          'attention',
        );
      });
  }

  for (const direction of DIRECTIONS)
    test(`attention (${direction}) over a history with holes`, () => {
      const absent = tf.tensor2d([1, 1, 0, 1, 0, 1, 0, 0], [1, 8]);
      const of = (qkv: tf.Tensor) => ({ qkv: qkv as tf.Tensor3D, absent, heads: 1, direction, rate: 0 });
      assertSame(
        (x) => fusedAttention(kernel, of(x!), INFERENCE),
        (x) => composedAttention(of(x!), INFERENCE),
        [normal(1, 8, 12)],
        'attention',
      );
    });

  for (const [n, c, width] of [
    [1, 2, 3],
    [40, 9, 4],
    [700, 333, 16],
  ] as const) {
    // The last rows weigh nothing: they fill a batch up.
    const shares = Array.from({ length: n }, (_, i) => (i > 3 * (n / 4) ? 0 : (i + 1) / n ** 2));
    const weights = (): tf.Tensor1D => tf.tensor1d(shares);
    const losses = (args: tf.Tensor[], targets: (rest: tf.Tensor[]) => Targets, w: tf.Tensor1D) => {
      const inputs = ([states, vectors, offset, ...rest]: tf.Tensor[]) => ({
        states: states as tf.Tensor2D,
        candidates: { vectors: vectors as tf.Tensor2D, offset: offset as tf.Tensor1D },
        targets: targets(rest),
        weights: w,
      });
      assertSame(
        (...x) => fusedSoftmaxLoss(kernel, inputs(x)),
        (...x) => composedSoftmaxLoss(inputs(x)),
        args,
        'loss',
      );
    };
    test(`softmax loss of ${n} states over ${c} candidates, targets among them`, () => {
      const rows = ids(n, c);
      losses([normal(n, width), normal(c, width), normal(c)], () => ({ rows }), weights());
    });
    test(`softmax loss of ${n} states over ${c} candidates, targets beside them`, () => {
      const own = ids(n, 2 * c);
      const among = ids(c, 2 * c);
      losses(
        [normal(n, width), normal(c, width), normal(c), normal(n, width), normal(n)],
        ([v, o]) => ({ ids: own, among, vectors: v as tf.Tensor2D, offset: o as tf.Tensor1D }),
        weights(),
      );
    });
  }

  for (const [rows, width, lines, size] of [
    [1, 3, 2, 1],
    [40, 5, 70, 6],
    [9000, 130, 33, 4],
  ] as const) {
    test(`embedding bag: ${lines} lines of up to ${size} of ${rows} rows`, () => {
      // Half of the places name nothing, and the last line none at all.
      const named = Array.from({ length: lines * size }, (_, k) =>
        rng.int(2) === 0 || k >= (lines - 1) * size ? 0 : rng.int(rows),
      );
      const bags = tf.tensor2d(named, [lines, size], 'int32');
      assertExact(
        (table) => fusedEmbeddingBag(kernel, table as tf.Tensor2D, bags),
        (table) => composedEmbeddingBag(table as tf.Tensor2D, bags),
        [normal(rows, width)],
        'embedding bag',
      );
    });
  }

  for (const [n, size, rows, width] of [
    [1, 1, 1, 3],
    [70, 6, 40, 5],
    [33, 9, 9000, 130],
  ] as const) {
    test(`logits of ${size} own candidates of ${n} states among ${rows}`, () => {
      const own = tf.tensor2d(
        Array.from({ length: n * size }, () => rng.int(rows)),
        [n, size],
        'int32',
      );
      const of =
        (logits: (s: tf.Tensor2D, all: DotCandidates, ids: tf.Tensor2D) => tf.Tensor) =>
        (states: tf.Tensor, vectors: tf.Tensor, offset: tf.Tensor) =>
          logits(
            states as tf.Tensor2D,
            { vectors: vectors as tf.Tensor2D, offset: offset as tf.Tensor1D },
            own,
          );
      assertExact(
        of((...inputs) => fusedOwnLogits(kernel, ...inputs)),
        of(composedOwnLogits),
        [normal(n, width), normal(rows, width), normal(rows)],
        'own logits',
      );
    });
  }

  test('dropout keeps its share, scales what it keeps, differs by step and call, and has the same mask in the gradient', () => {
    const ones = tf.ones([100_000]);
    const masks = [1, 1, 2].map((step) => {
      const pass = graphPass(tf.tensor1d(randomKey(5, step, 0), 'int32'));
      return [pass.dropout(ones, 0.3), pass.dropout(ones, 0.3)].map((t) => t.dataSync());
    });
    const [first, again, later] = masks as [Float32Array[], Float32Array[], Float32Array[]];
    assert.deepEqual(first, again);
    const kept = first[0]!.filter((x) => x > 0);
    assert.ok(Math.abs(kept.length - 70_000) < 600, `${kept.length} kept`);
    assert.ok(kept.every((x) => x === Math.fround(1 / 0.7)));
    for (const other of [first[1]!, later[0]!]) {
      const agree = first[0]!.filter((x, i) => x > 0 === other[i]! > 0).length;
      assert.ok(
        Math.abs(agree - 58_000) < 600,
        `${agree} of 100000 agree; 58000 are expected of independent masks`,
      );
    }
    const key = tf.tensor1d(randomKey(5, 1, 0), 'int32');
    const gradient = tf.grad((x) => tf.sum(graphPass(key).dropout(x, 0.3)))(ones);
    assert.deepEqual([...gradient.dataSync()], [...first[0]!]);
  });

  test('dropout in attention: the mean over masks is the value without, and gradients match finite differences', () => {
    const absent = tf.zeros([2, 6]) as tf.Tensor2D;
    const x = normal(2, 6, 12) as tf.Tensor3D;
    const at = (qkv: tf.Tensor, step: number, rate: number): tf.Tensor =>
      fusedAttention(
        kernel,
        { qkv: qkv as tf.Tensor3D, absent, heads: 2, direction: 'causal', rate },
        graphPass(tf.tensor1d(randomKey(1, step, 0), 'int32')),
      );
    const steps = 4000;
    const mean = tf.tidy(() => {
      let sum = tf.zeros([2, 6, 4]);
      for (let n = 0; n < steps; n++) sum = tf.tidy(() => tf.add(sum, at(x, n, 0.4)));
      return [...tf.div(sum, steps).dataSync()];
    });
    assertClose(mean, [...at(x, 0, 0).dataSync()], 'mean', 0.08, 0);
    const f = (qkv: tf.Tensor): tf.Tensor => tf.sum(tf.square(at(qkv, 3, 0.4)));
    const gradient = tf.grad(f)(x).dataSync();
    const data = Float32Array.from(x.dataSync());
    for (const k of [0, 17, 40, 77, 100, 143]) {
      const [up, down] = [0.01, -0.01].map((step) => {
        const moved = Float32Array.from(data);
        moved[k]! += step;
        return f(tf.tensor3d(moved, x.shape)).dataSync()[0]!;
      });
      assertClose([gradient[k]!], [(up! - down!) / 0.02], `gradient ${k}`, 0.02, 0.02);
    }
  });

  test('nothing is leaked', async () => {
    const args = [normal(6, 4), normal(4), normal(4)];
    await assertNoLeak('fused operations', () => {
      slopes((x, g, b) => fusedLayerNorm(kernel, x!, g!, b!), args);
    });
  });
});
