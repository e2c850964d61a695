import type { TensorMap } from '../../types.js';

/** Features of one event, in buffers that are used again. */
export interface Features {
  readonly count: number;
  /** [at least count] */
  readonly hashes: Int32Array;
  /** [at least count] */
  readonly values: Float64Array;
}

export interface LogisticConfig {
  /** 2^bits weights. */
  readonly bits: number;
  readonly learningRate: number;
  /** Of squared gradients. */
  readonly initialAccumulator: number;
}

/** Weights in durable form: those that are not zero. */
export interface LogisticState {
  readonly bits: number;
  /** `clicks.slots` [n], `clicks.weights` [n × 2]: weight and sum of squared gradients. */
  readonly tensors: TensorMap;
}

export const sigmoid = (logit: number): number => 1 / (1 + Math.exp(-logit));

/**
 * Logistic regression over hashed features (Weinberger et al. 2009), one step an event. Each weight has a step size of its own, α / √(a₀ + Σ g²)
 * (AdaGrad: Duchi, Hazan & Singer 2011), and the step is an implicit one: the gradient is that after it, to first order, so that no event is
 * overshot however many features it has (Kulis & Bartlett 2010; Karampatziakis & Langford 2011). Nothing is allocated.
 */
export class Logistic {
  /** [2^bits × 2] weight and sum of squared gradients, side by side: both are in the cache at once. */
  private readonly slots: Float32Array;
  private readonly mask: number;

  constructor(private readonly config: LogisticConfig) {
    this.slots = new Float32Array(2 * 2 ** config.bits);
    this.mask = 2 ** config.bits - 1;
  }

  /** ln p / (1 − p). */
  logit({ count, hashes, values }: Features): number {
    const { slots, mask } = this;
    let sum = 0;
    for (let i = 0; i < count; i++) sum += slots[(hashes[i]! & mask) << 1]! * values[i]!;
    return sum;
  }

  /**
   * One step towards a label. With g = p − y and rates r = α / √(a₀ + Σ g²x²), this event's included:
   * w ← w − r x g / (1 + p (1 − p) Σ r x²).
   * @returns the log-odds before it
   */
  learn(features: Features, label: 0 | 1): number {
    const { count, hashes, values } = features;
    const { slots, mask } = this;
    const { learningRate, initialAccumulator } = this.config;
    const logit = this.logit(features);
    const p = sigmoid(logit);
    const gradient = p - label;
    let reach = 0;
    for (let i = 0; i < count; i++) {
      const x = values[i]!;
      const at = ((hashes[i]! & mask) << 1) + 1;
      const sum = slots[at]! + gradient * gradient * x * x;
      slots[at] = sum;
      reach += (x * x) / Math.sqrt(initialAccumulator + sum);
    }
    const step = (learningRate * gradient) / (1 + p * (1 - p) * learningRate * reach);
    for (let i = 0; i < count; i++) {
      const at = (hashes[i]! & mask) << 1;
      slots[at] = slots[at]! - (step * values[i]!) / Math.sqrt(initialAccumulator + slots[at + 1]!);
    }
    return logit;
  }

  snapshot(): LogisticState {
    const { slots } = this;
    const used = (at: number): boolean => slots[at] !== 0 || slots[at + 1] !== 0;
    let n = 0;
    for (let at = 0; at < slots.length; at += 2) if (used(at)) n++;
    const names = new Int32Array(n);
    const weights = new Float32Array(2 * n);
    let row = 0;
    for (let at = 0; at < slots.length; at += 2) {
      if (!used(at)) continue;
      names[row] = at >> 1;
      weights[2 * row] = slots[at]!;
      weights[2 * row + 1] = slots[at + 1]!;
      row++;
    }
    return {
      bits: this.config.bits,
      tensors: new Map([
        ['clicks.slots', { dtype: 'I32', shape: [n], data: names }],
        ['clicks.weights', { dtype: 'F32', shape: [n, 2], data: weights }],
      ]),
    };
  }

  /** Becomes what `snapshot` gave, of as many bits; without one, as it began. */
  load(state?: LogisticState): void {
    this.slots.fill(0);
    if (!state) return;
    const names = state.tensors.get('clicks.slots')!.data as Int32Array;
    const weights = state.tensors.get('clicks.weights')!.data as Float32Array;
    for (const [row, slot] of names.entries())
      this.slots.set(weights.subarray(2 * row, 2 * row + 2), 2 * slot);
  }
}
