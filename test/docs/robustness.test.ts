import * as tf from '@tensorflow/tfjs-core';
import { fastGradient } from '../../src/compute/adversary.js';
import { compileStep } from '../../src/compute/compile.js';
import { OPTIMIZERS } from '../../src/compute/optimizers/index.js';
import { ParameterStore } from '../../src/compute/parameters.js';
import { assertClose, valuesOf } from '../suites/assertions.js';
import { onBackend } from '../suites/backends.js';
import { length, stated, sum } from './formulas.js';

const PAGE = 'docs/robustness.md';
/** Padding and two items. */
const ROWS = [
  [0, 0],
  [3, -4],
  [0.5, 1.2],
];
/** L = ½ Σ ‖e_j‖² over the items: g_j = e_j. */
const half = (rows: readonly (readonly number[])[]): number =>
  sum(rows.slice(1).map((e) => length(e) ** 2 / 2));
const along = (e: readonly number[], epsilon: number): number[] =>
  e.map((x) => x + (epsilon * x) / (length(e) || 1));

async function step(epsilon: number, weight: number, sparseTables: boolean) {
  const table = { shape: [3, 2], data: Float32Array.from(ROWS.flat()), table: true, grows: 'items' as const };
  const store = new ParameterStore(new Map([['e', table]]), new Map(), { sparseTables });
  const step = compileStep({
    store,
    optimizer: OPTIMIZERS.sgd(),
    loss: (params, { ids }) => tf.mul(tf.sum(tf.square(params.lookup('e', ids!))), 0.5) as tf.Scalar,
    adversary: { tables: ['e'], epsilon, weight },
    seed: 1,
  });
  const { loss } = await step.run([{ ids: { dtype: 'I32', shape: [2], data: Int32Array.of(1, 2) } }], 0.1);
  const after = (await store.export()).get('e')!.data;
  step.dispose();
  store.dispose();
  return { loss, gradient: ROWS.flat().map((x, i) => (x - after[i]!) / 0.1) };
}

onBackend('cpu', PAGE, () => {
  stated(
    ['Δ_j = ε g_j / ‖g_j‖'],
    () => {
      const gradients = [...ROWS, [1e-30, 0], [-3e-12, 4e-12], [3e20, 4e20]];
      const found = valuesOf(() => fastGradient(tf.tensor2d(gradients), 0.5));
      const expected = gradients.flatMap((g) => g.map((x) => (0.5 * x) / (length(g) || 1)));
      assertClose(found, expected, 'Δ', 1e-6);
    },
    PAGE,
  );

  stated(
    ['L(θ) + w L(θ + Δ)'],
    async () => {
      for (const [epsilon, weight] of [
        [0.5, 1],
        [2, 0.3],
      ] as const)
        for (const sparse of [false, true]) {
          const { loss, gradient } = await step(epsilon, weight, sparse);
          const moved = ROWS.map((e) => along(e, epsilon));
          assertClose([loss], [half(ROWS) + weight * half(moved)], 'loss', 1e-4, 1e-5);
          // Of e + ε e / ‖e‖ with the second part held constant.
          const expected = ROWS.flatMap((e, row) => e.map((x, i) => x + weight * moved[row]![i]!));
          assertClose(gradient, expected, 'gradient', 1e-4, 1e-4);
        }
    },
    PAGE,
  );

  stated(
    ['L(θ + Δ) ≈ L(θ) + ε Σ_j ‖g_j‖'],
    async () => {
      const epsilon = 0.01;
      const { loss } = await step(epsilon, 1, false);
      const growth = epsilon * sum(ROWS.slice(1).map(length));
      assertClose([loss - 2 * half(ROWS)], [growth], 'growth', 2 * epsilon ** 2);
    },
    PAGE,
  );
});
