import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

/** The repository, with a trailing slash. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export const CONCEPTS = readFileSync(`${ROOT}docs/concepts.md`, 'utf8');

/** A test of formulas that docs/concepts.md states in these very words: changing one there fails until its test follows. */
export function stated(formulas: readonly string[], check: () => void): void {
  test(formulas.join('   '), () => {
    for (const formula of formulas)
      assert.ok(CONCEPTS.includes(formula), `docs/concepts.md does not state “${formula}”`);
    check();
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
