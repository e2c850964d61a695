import * as tf from '@tensorflow/tfjs-core';
import type { TensorMap } from '../types.js';
import { type HeldValue, heldArray } from './cell.js';
import type { ParameterStore } from './parameters.js';

/** Weights that are pulled back, as tensors of one shape or of shapes that broadcast. */
export interface Pulled {
  readonly start: tf.Tensor;
  /** λ, by row; 0 where a row has no start. */
  readonly strength: tf.Tensor;
}

/** The same of a table held by rows. */
export interface PulledRows {
  readonly start: Float32Array;
  /** [rows] */
  readonly strength: Float32Array;
}

/**
 * Where training began, and the pull back to it: λ (w − w₀) beside the gradients, the derivative of λ/2 ‖w − w₀‖² (L2-SP: Li,
 * Grandvalet & Davoine 2018). A parameter that `from` lacks, and rows beyond those it has, are pulled nowhere.
 */
export class Start {
  readonly dense = new Map<string, Pulled>();
  readonly tables = new Map<string, PulledRows>();

  /** @param from w₀ by parameter; rows that came later are at the end of the store's */
  constructor(store: ParameterStore, strength: number, from: TensorMap, trains: (name: string) => boolean) {
    const known = (name: string, rows: number): Float32Array =>
      new Float32Array(rows).fill(strength, 0, from.get(name)!.shape[0] ?? 1);
    const grown = (name: string, size: number): Float32Array => {
      const start = new Float32Array(size);
      start.set(from.get(name)!.data);
      return start;
    };
    const pulls = (name: string): boolean => from.has(name) && trains(name);
    for (const [name, { shape, size }] of store.variables) {
      if (!pulls(name)) continue;
      const rows = shape[0] ?? 1;
      this.dense.set(name, {
        start: tf.tensor(grown(name, size), shape),
        strength: tf.tensor(known(name, rows), [...shape.slice(0, 1), ...shape.slice(1).map(() => 1)]),
      });
    }
    for (const [name, { rows, data }] of store.tables)
      if (pulls(name))
        this.tables.set(name, { start: grown(name, data.length), strength: known(name, rows) });
  }

  /** Every array, by its name in a recorded step. */
  held(tables: ParameterStore['tables']): Map<string, HeldValue> {
    const out = new Map<string, HeldValue>();
    for (const [name, { start, strength }] of this.dense) {
      out.set(startOf(name), heldTensor(start));
      out.set(strengthOf(name), heldTensor(strength));
    }
    for (const [name, { start, strength }] of this.tables) {
      const { rows, width } = tables.get(name)!;
      out.set(startOf(name), heldArray([rows, width], start));
      out.set(strengthOf(name), heldArray([rows, 1], strength));
    }
    return out;
  }

  dispose(): void {
    for (const { start, strength } of this.dense.values()) tf.dispose([start, strength]);
  }
}

export const startOf = (name: string): string => `${name}/start`;
export const strengthOf = (name: string): string => `${name}/strength`;

const heldTensor = (tensor: tf.Tensor): HeldValue => ({
  shape: tensor.shape,
  read: () => tensor.dataSync() as Float32Array,
});

/** What the penalties add to the gradient of weights, inside a tidy: `l2` · w, and the pull to where they started. */
export function penalties(weights: tf.Tensor, l2: number, pulled: Pulled | undefined): tf.Tensor | undefined {
  const towardsZero = l2 > 0 ? tf.mul(weights, l2) : undefined;
  if (!pulled) return towardsZero;
  const back = tf.mul(tf.sub(weights, pulled.start), pulled.strength);
  return towardsZero ? tf.add(towardsZero, back) : back;
}
