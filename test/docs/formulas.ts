import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import type { Params } from '../../src/compute/parameters.js';
import type { Model } from '../../src/model/model.js';
import { assertClose, valuesOf } from '../suites/assertions.js';

/** The repository, with a trailing slash. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export const CONCEPTS = readFileSync(`${ROOT}docs/concepts.md`, 'utf8');

/** A test of formulas that a page (docs/concepts.md) states in these very words: changing one there fails until its test follows. */
export function stated(
  formulas: readonly string[],
  check: () => void | Promise<void>,
  page = 'docs/concepts.md',
): void {
  test(formulas.join('   '), async () => {
    const text = readFileSync(`${ROOT}${page}`, 'utf8');
    for (const formula of formulas) assert.ok(text.includes(formula), `${page} does not state “${formula}”`);
    await check();
  });
}

export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
export const mean = (values: readonly number[]): number => sum(values) / values.length;
export const dot = (a: readonly number[], b: readonly number[]): number => sum(a.map((v, i) => v * b[i]!));
export const length = (a: readonly number[]): number => Math.sqrt(dot(a, a));
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

export function softmax(scores: readonly number[]): number[] {
  const powers = scores.map((s) => Math.exp(s));
  return powers.map((p) => p / sum(powers));
}

/** Central differences of a function of numbers, one coordinate after another. */
export function slopes(f: (x: number[]) => number, at: readonly number[], step = 1e-5): number[] {
  return at.map((_, i) => {
    const moved = (by: number): number => f(at.map((v, k) => (k === i ? v + by : v)));
    return (moved(step) - moved(-step)) / (2 * step);
  });
}

/** Parameters of the given values; nothing is looked up by rows. */
export const params = (values: Record<string, tf.Tensor> = {}): Params => ({
  get: (name) => values[name]!,
  lookup: () => assert.fail('no table is read here'),
});

/** The code's value and gradient at a point equal those stated; and the stated gradient is that of the stated value. */
export function agrees(
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

/** A model whose logits are its states: the state's entry j is item j's score. */
export const SCORES = {
  logits: (_params, states, candidates) => {
    if (candidates === 'all') return states;
    const chosen = tf.oneHot(tf.cast(candidates, 'int32'), states.shape[1]);
    if (candidates.rank === 1) return tf.matMul(states, chosen as tf.Tensor2D, false, true);
    return tf.sum(tf.mul(tf.expandDims(states, 1), chosen), -1) as tf.Tensor2D;
  },
} as Pick<Model, 'logits'> as Model;
