import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { compileStep } from '../../src/compute/compile.js';
import { createOptimizer, OPTIMIZERS, type OptimizerName } from '../../src/compute/optimizers/index.js';
import { firstValues, type OptimizerSettings } from '../../src/compute/optimizers/optimizer.js';
import { ParameterStore } from '../../src/compute/parameters.js';
import type { StepOptions } from '../../src/compute/step.js';
import { layerRates } from '../../src/training/layers.js';
import { learningRate } from '../../src/training/schedule.js';
import { optimizerSchema } from '../../src/training/schema.js';
import { assertClose } from '../suites/assertions.js';
import { onBackend } from '../suites/backends.js';
import { CONCEPTS, stated } from './formulas.js';

onBackend('cpu', 'docs/concepts.md: updates', () => {
  const RATE = 0.05;
  const GRADIENTS = [0.5, -1.5, 0, 2];

  /** Runs the code's optimizer on one number. */
  function run(name: OptimizerName, settings: OptimizerSettings = {}): number[] {
    const optimizer = createOptimizer({ name, ...settings });
    let w = 1;
    let slots = optimizer.slots.map((s) => firstValues(s, Float32Array.of(w))[0]!);
    return GRADIENTS.map((g, n) => {
      tf.tidy(() => {
        const next = optimizer.dense(
          tf.scalar(w),
          tf.scalar(g),
          slots.map((s) => tf.scalar(s)),
          tf.scalar(optimizer.rate(RATE, n + 1)),
        );
        w = next.parameter.dataSync()[0]!;
        slots = next.slots.map((s) => s.dataSync()[0]!);
      });
      return w;
    });
  }

  /** Runs a stated update. */
  const follow = (update: (w: number, g: number, t: number) => number): number[] => {
    let w = 1;
    return GRADIENTS.map((g, n) => {
      w = update(w, g, n + 1);
      return w;
    });
  };

  stated(['w ← w − η g'], () =>
    assertClose(
      run('sgd'),
      follow((w, g) => w - RATE * g),
      'sgd',
    ),
  );

  stated(['u ← μ u + g                     (`momentum`: μ = 0.9; Polyak 1964)', 'w ← w − η u'], () => {
    for (const kept of [undefined, 0.5]) {
      let u = 0;
      assertClose(
        run('momentum', { momentum: kept }),
        follow((w, g) => {
          u = (kept ?? 0.9) * u + g;
          return w - RATE * u;
        }),
        'momentum',
      );
    }
  });

  stated(
    [
      'a′ = a + g²                     (a starts at 0.1, z at −√a w)',
      'z ← z + η g − (√a′ − √a) w',
      'w ← −sign(z) max(|z| − η λ₁, 0) / (√a′ + η λ₂)',
    ],
    () => {
      for (const [l1, l2] of [
        [0, 0],
        [4, 3],
      ] as const) {
        let a = 0.1;
        let z = -Math.sqrt(a);
        assertClose(
          run('ftrl', { l1, l2 }),
          follow((w, g) => {
            const [before, after] = [a, a + g * g];
            a = after;
            z += RATE * g - (Math.sqrt(after) - Math.sqrt(before)) * w;
            return (-Math.sign(z) * Math.max(Math.abs(z) - RATE * l1, 0)) / (Math.sqrt(after) + RATE * l2);
          }),
          'ftrl',
        );
      }
    },
  );

  stated(['a ← a + g²', '(a starts at 0.1)', 'w ← w − η g / (√a + 10⁻⁸)'], () => {
    let a = 0.1;
    assertClose(
      run('adagrad'),
      follow((w, g) => {
        a += g * g;
        return w - (RATE * g) / (Math.sqrt(a) + 1e-8);
      }),
      'adagrad',
    );
  });

  stated(
    [
      'm ← β₁ m + (1 − β₁) g           (β₁ = 0.9)',
      'v ← β₂ v + (1 − β₂) g²          (β₂ = 0.999)',
      'w ← w − η √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + 10⁻⁸)',
    ],
    () => {
      let [m, v] = [0, 0];
      assertClose(
        run('adam'),
        follow((w, g, t) => {
          m = 0.9 * m + 0.1 * g;
          v = 0.999 * v + 0.001 * g * g;
          const rate = (RATE * Math.sqrt(1 - 0.999 ** t)) / (1 - 0.9 ** t);
          return w - (rate * m) / (Math.sqrt(v) + 1e-8);
        }),
        'adam',
      );
    },
  );

  /** Trains matrix [1, 2] from (2, −1) with the gradient (1, 3), and gives it as it is used afterwards. */
  async function trained(options: Partial<StepOptions>, steps: number): Promise<Float32Array> {
    const store = new ParameterStore(
      new Map([['w', { shape: [1, 2], data: Float32Array.of(2, -1), table: false }]]),
    );
    const step = compileStep({
      store,
      optimizer: OPTIMIZERS.sgd(),
      loss: (held) => tf.sum(tf.mul(held.get('w'), [[1, 3]])),
      seed: 1,
      ...options,
    });
    for (let n = 0; n < steps; n++) await step.run([{}], RATE);
    const tensors = await step.averaged(() => store.export());
    step.dispose();
    store.dispose();
    return tensors.get('w')!.data as Float32Array;
  }

  test('w ← (1 − η λ) w', async () => {
    assert.match(
      CONCEPTS,
      /λ = `optimizer.weightDecay`, of matrices again .*Before the update:\n\n {4}w ← \(1 − η λ\) w\n/,
    );
    const adam = await trained({ optimizer: OPTIMIZERS.adam() }, 1);
    const adamw = await trained({ optimizer: OPTIMIZERS.adamw({ weightDecay: 0.3 }) }, 1);
    const expected = [2, -1].map((w, i) => (1 - RATE * 0.3) * w + (adam[i]! - w));
    assertClose(adamw, expected, 'adamw');
  });

  test('r ← d r + (1 − d) w        average = r / (1 − dᵗ)', async () => {
    assert.ok(CONCEPTS.includes('r ← d r + (1 − d) w        average = r / (1 − dᵗ)'));
    let [r, w] = [0, 2];
    for (let t = 1; t <= 3; t++) {
      w -= RATE;
      r = 0.8 * r + 0.2 * w;
      assertClose([(await trained({ ema: 0.8 }, t))[0]!], [r / (1 - 0.8 ** t)], `after ${t}`);
    }
  });

  test('the gradient is clipped, then L2 is added, to matrices alone', async () => {
    assert.match(
      CONCEPTS,
      /scaled down to the global norm `clipNorm` where it is longer, plus `l2` · w for\s+matrices/,
    );
    // The gradients are 30 and 40: clipped to 3 and 4.
    const store = new ParameterStore(
      new Map([
        ['matrix', { shape: [1, 2], data: Float32Array.of(2, 0), table: false }],
        ['bias', { shape: [1], data: Float32Array.of(2), table: false }],
      ]),
    );
    const step = compileStep({
      store,
      optimizer: OPTIMIZERS.sgd(),
      loss: (held) =>
        tf.add(
          tf.mul(tf.sum(tf.slice(held.get('matrix'), [0, 0], [1, 1])), 30),
          tf.mul(tf.sum(held.get('bias')), 40),
        ),
      clipNorm: 5,
      l2: 0.5,
      seed: 1,
    });
    await step.run([{}], 0.1);
    const after = await store.export();
    assertClose(after.get('matrix')!.data, [2 - 0.1 * (3 + 0.5 * 2), 0], 'matrix', 1e-5);
    assertClose(after.get('bias')!.data, [2 - 0.1 * 4], 'bias', 1e-5);
    step.dispose();
    store.dispose();
  });

  test('g ← g + λ (w − w₀)', async () => {
    assert.match(CONCEPTS, /`l2Start`[\s\S]*\n\n {4}g ← g \+ λ \(w − w₀\)\n/);
    const data = Float32Array.of(1, 1);
    const from = new Map([['w', { dtype: 'F32' as const, shape: [1, 2], data }]]);
    const after = await trained({ l2Start: { strength: 0.5, from } }, 1);
    assertClose(after, [2 - RATE * (1 + 0.5 * (2 - 1)), -1 - RATE * (3 + 0.5 * (-1 - 1))], 'w');
  });

  stated(['η_d = η δᵈ,   d = how many layers are above'], () => {
    const layers = [0, 1, 2].map((depth) => ({ depth, names: [] }));
    const shares = layerRates(layers, { rateDecay: 0.4, unfreeze: 0 }, 0, 7).map(({ share }) => share);
    assertClose(shares, [1, 0.4, 0.16], 'shares of η', 1e-12);
  });

  stated(['η(step) = η_max (f + (1 − f) · ½ (1 + cos(π d)))', 'The learning rate rises linearly'], () => {
    const config = optimizerSchema.parse({
      learningRate: 0.2,
      warmupSteps: 10,
      decay: 'cosine',
      finalFraction: 0.1,
    });
    assertClose([learningRate(config, 5, 110)], [0.1], 'half of the warm-up', 1e-12);
    for (const step of [11, 40, 85, 110]) {
      const d = (step - 10) / 100;
      const expected = 0.2 * (0.1 + 0.9 * 0.5 * (1 + Math.cos(Math.PI * d)));
      assertClose([learningRate(config, step, 110)], [expected], `step ${step}`, 1e-12);
    }
  });
});
