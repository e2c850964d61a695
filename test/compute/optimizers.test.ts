import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  createOptimizer,
  OPTIMIZER_NAMES,
  OPTIMIZERS,
  type OptimizerName,
} from '../../src/compute/optimizers/index.js';
import { firstValues } from '../../src/compute/optimizers/optimizer.js';
import { onBackend, onEachBackend } from '../suites/backends.js';
import { optimizerContract } from '../suites/optimizer.js';

/** m / (1 − 0.9ᵗ) over √(v / (1 − 0.999ᵗ)): ½ / ½; −0.28947 / 0.79069; −0.18266 / 0.64546. */
const ADAM = [0.9, 0.9366103542, 0.9649102626] as const;

/** The parameter 1 after gradients ½, −1, 0 at rate 0.1. */
const BY_HAND = {
  sgd: [0.95, 1.05, 1.05],
  // Accumulator 0.1 + ¼ = 0.35, then 1.35: −0.05 / √0.35, +0.1 / √1.35.
  adagrad: [0.9154845745, 1.0015508711, 1.0015508711],
  // l1 and l2 are 0: Adagrad without the 10⁻⁸.
  ftrl: [0.9154845745, 1.0015508711, 1.0015508711],
  // The velocity: ½; 0.45 − 1; 0.9 · −0.55.
  momentum: [0.95, 1.005, 1.0545],
  adam: ADAM,
  // Its decay is the step's, before the update.
  adamw: ADAM,
} satisfies Record<OptimizerName, readonly [number, number, number]>;

onEachBackend('optimizer contract', () => {
  for (const [name, create] of Object.entries(OPTIMIZERS)) {
    optimizerContract(name, { create, expected: BY_HAND[name as OptimizerName] });
  }
  // √n and z: 0.59161, −0.54161; 1.16190, −1.14976. (−z − 0.01) / (√n + 0.005).
  optimizerContract('ftrl with penalties', {
    create: () => OPTIMIZERS.ftrl({ l1: 0.1, l2: 0.05 }),
    expected: [0.8910507362, 0.9767482494, 0.9767482494],
  });
  // The velocity: ½; ¼ − 1; ½ · −0.75.
  optimizerContract('momentum of ½', {
    create: () => OPTIMIZERS.momentum({ momentum: 0.5 }),
    expected: [0.95, 1.025, 1.0625],
  });
});

onBackend('cpu', 'settings of optimizers', () => {
  test('each takes its own, and leaves those of others aside', () => {
    const all = { weightDecay: 0.3, momentum: 0.2, l1: 0.1, l2: 0.4 };
    assert.equal(createOptimizer({ name: 'adamw', ...all }).weightDecay, 0.3);
    assert.equal(createOptimizer({ name: 'adamw' }).weightDecay, 0.01);
    assert.equal(createOptimizer({ name: 'adam', ...all }).weightDecay, undefined);
    assert.deepEqual(
      OPTIMIZER_NAMES.map((name) => OPTIMIZERS[name]().settings ?? []),
      [[], ['weightDecay'], [], ['l1', 'l2'], ['momentum'], []],
    );
  });

  test('ftrl holds a weight at 0 until its gradients outweigh l1', () => {
    const { slots, row } = OPTIMIZERS.ftrl({ l1: 1 });
    const weight = Float32Array.of(0.01);
    const state = slots.map((s) => firstValues(s, weight));
    const seen = [0, 0.5, 0.5, -0.25, 1, 1].map((g) => {
      row(weight, 0, Float32Array.of(g), 0, 1, state, 0.1);
      return weight[0];
    });
    assert.deepEqual(seen.slice(0, 4), [0, 0, 0, 0]);
    assert.ok(seen[5]! < 0);
  });
});
