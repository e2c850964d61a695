import { OPTIMIZERS, type OptimizerName } from '../../src/compute/optimizers/index.js';
import { onEachBackend } from '../suites/backends.js';
import { optimizerContract } from '../suites/optimizer.js';

/** The parameter 1 after gradients ½, −1, 0 at rate 0.1. */
const BY_HAND = {
  sgd: [0.95, 1.05, 1.05],
  // Accumulator 0.1 + ¼ = 0.35, then 1.35: −0.05 / √0.35, +0.1 / √1.35.
  adagrad: [0.9154845745, 1.0015508711, 1.0015508711],
  // m / (1 − 0.9ᵗ) over √(v / (1 − 0.999ᵗ)): ½ / ½; −0.28947 / 0.79069; −0.18266 / 0.64546.
  adam: [0.9, 0.9366103542, 0.9649102626],
} satisfies Record<OptimizerName, readonly [number, number, number]>;

onEachBackend('optimizer contract', () => {
  for (const [name, create] of Object.entries(OPTIMIZERS)) {
    optimizerContract(name, { create, expected: BY_HAND[name as OptimizerName] });
  }
});
