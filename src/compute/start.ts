import * as tf from '@tensorflow/tfjs-core';
import type { TensorMap } from '../types.js';
import { type HeldValue, heldArray } from './cell.js';
import type { ParameterStore } from './parameters.js';

/** Weights that are pulled back: where to, and λ of each; 0 where a weight has no start. Of one shape with the weights. */
export interface Pulled {
  readonly start: tf.Tensor;
  readonly strength: tf.Tensor;
}

/** The same of a table held by rows, [rows × width]. */
export interface PulledRows {
  readonly start: Float32Array;
  readonly strength: Float32Array;
}

/** A pull back to where training began. */
export interface StartOptions {
  /** λ */
  readonly strength: number;
  /** w₀ by parameter; rows that came later are at the end of the store's. */
  readonly from: TensorMap;
  /** F, by parameter, of each weight that is in `from`; default 1. */
  readonly importance?: ReadonlyMap<string, Float32Array> | undefined;
}

/**
 * Where training began, and the pull back to it: λ F (w − w₀) beside the gradients, the derivative of λ/2 Σ F (w − w₀)². With F = 1 it is L2-SP (Li,
 * Grandvalet & Davoine 2018), with the Fisher information of what was learned before EWC (Kirkpatrick et al. 2017). A parameter that `from` lacks,
 * and rows beyond those it has, are pulled nowhere.
 */
export class Start {
  readonly dense = new Map<string, Pulled>();
  readonly tables = new Map<string, PulledRows>();

  constructor(store: ParameterStore, options: StartOptions, trains: (name: string) => boolean) {
    const pulls = (name: string): boolean => options.from.has(name) && trains(name);
    for (const [name, { shape, size }] of store.variables) {
      if (!pulls(name)) continue;
      const { start, strength } = pullOf(name, size, options);
      this.dense.set(name, { start: tf.tensor(start, shape), strength: tf.tensor(strength, shape) });
    }
    for (const [name, { data }] of store.tables)
      if (pulls(name)) this.tables.set(name, pullOf(name, data.length, options));
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
      out.set(strengthOf(name), heldArray([rows, width], strength));
    }
    return out;
  }

  dispose(): void {
    for (const { start, strength } of this.dense.values()) tf.dispose([start, strength]);
  }
}

function pullOf(name: string, size: number, { strength, from, importance }: StartOptions): PulledRows {
  const known = from.get(name)!.data;
  const start = new Float32Array(size);
  start.set(known);
  const pull = new Float32Array(size).fill(strength, 0, known.length);
  const weights = importance?.get(name);
  if (weights) for (let i = 0; i < known.length; i++) pull[i] = strength * weights[i]!;
  return { start, strength: pull };
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
