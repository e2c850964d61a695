import * as tf from '@tensorflow/tfjs-core';
import { gatherRows } from './gather.js';
import { present } from './ops/present.js';
import { embeddingLookup, type Params, type RowGradient } from './parameters.js';

/** Adversarial training (He et al. 2018): what is minimised is L(θ) + weight · L(θ + Δ), with Δ held constant. */
export interface Adversary {
  /** Embedding tables whose rows are moved, each by a Δ of length `epsilon`. */
  readonly tables: readonly string[];
  readonly epsilon: number;
  readonly weight: number;
}

/** What one pass of a batch says, forward and back. */
export interface PassGradients {
  readonly loss: tf.Scalar;
  /** By parameter; those the loss does not read have none. */
  readonly dense: Readonly<Record<string, tf.Tensor>>;
  /** One a lookup of a table held by rows; kept. */
  readonly rows: readonly RowGradient[];
}

/** One pass of the batch, always with the same random numbers, on parameters as `seen` shows them inside the gradient's tape. */
export type Pass = (seen?: (params: Params) => Params) => PassGradients;

/** The gradients of a table's lookups summed by id: [n, D], at least a row an id, and each lookup's rows among them, int32 [ids]. */
export type SumById = (lookups: readonly RowGradient[]) => { sums: tf.Tensor; places: readonly tf.Tensor[] };

/**
 * The step in the steepest direction that has this length, a row: ε g / ‖g‖ (fast gradient method: Goodfellow, Shlens & Szegedy 2015,
 * in the L2 norm); 0 where g is 0. [n, D] → [n, D].
 */
export function fastGradient(gradient: tf.Tensor, epsilon: number): tf.Tensor {
  return tf.tidy(() => {
    // Brought to order 1 first: squares of small gradients are 0 in float32.
    const unit = tf.div(gradient, tf.maximum(tf.max(tf.abs(gradient), 1, true), 1e-30));
    return tf.div(tf.mul(unit, epsilon), tf.maximum(tf.sqrt(tf.sum(tf.square(unit), 1, true)), 1e-30));
  });
}

/**
 * Value and gradients of the loss and the adversarial loss, in two passes: the first one's gradients give Δ too. Row 0, padding, is not moved.
 * Inside a tidy, which keeps what is returned but the rows.
 */
export function againstAdversary(
  { tables, epsilon, weight }: Adversary,
  pass: Pass,
  sum: SumById,
  heldByRows: (table: string) => boolean,
): PassGradients {
  const plain = pass();
  const dense = new Map<string, tf.Tensor>();
  const rows = new Map<number, tf.Tensor>();
  for (const name of tables) {
    const gradient = plain.dense[name];
    if (gradient) dense.set(name, withoutPadding(fastGradient(gradient, epsilon)));
    const lookups = plain.rows.filter((r) => r.name === name);
    if (lookups.length === 0) continue;
    const { sums, places } = sum(lookups);
    const shifts = fastGradient(sums, epsilon);
    lookups.forEach(({ ids, idsTensor, lookup }, k) => {
      const there = present(idsTensor ?? tf.tensor1d(ids, 'int32'));
      rows.set(lookup!, tf.mul(gatherRows(shifts, places[k]!), tf.expandDims(there, 1)));
    });
  }
  const moved = pass((params) => shifted(params, dense, rows, heldByRows));
  const sums: Record<string, tf.Tensor> = { ...plain.dense };
  for (const [name, gradient] of Object.entries(moved.dense)) {
    const scaled = tf.mul(gradient, weight);
    sums[name] = sums[name] ? tf.add(sums[name], scaled) : scaled;
  }
  const scaled = moved.rows.map((r) => ({ ...r, gradient: tf.keep(tf.mul(r.gradient, weight)) }));
  tf.dispose(moved.rows.map((r) => r.gradient));
  return {
    loss: tf.add(plain.loss, tf.mul(moved.loss, weight)) as tf.Scalar,
    dense: sums,
    rows: [...plain.rows, ...scaled],
  };
}

/** A table's shift without row 0. */
export function withoutPadding(shift: tf.Tensor): tf.Tensor {
  const [rows, width] = shift.shape as [number, number];
  return tf.concat([tf.zeros([1, width]), tf.slice(shift, [1, 0], [rows - 1, width])], 0);
}

/** Parameters with `dense` added to whole tables, and `rows` to what the numbered lookups of tables held by rows give. */
function shifted(
  params: Params,
  dense: ReadonlyMap<string, tf.Tensor>,
  rows: ReadonlyMap<number, tf.Tensor>,
  heldByRows: (table: string) => boolean,
): Params {
  const tables = new Map([...dense].map(([name, by]) => [name, tf.add(params.get(name), by)]));
  let lookups = 0;
  return {
    get: (name) => tables.get(name) ?? params.get(name),
    lookup(name, ids) {
      const table = tables.get(name);
      if (table) return embeddingLookup(table, ids);
      const found = params.lookup(name, ids);
      const by = heldByRows(name) ? rows.get(lookups++) : undefined;
      return by ? tf.add(found, tf.reshape(by, found.shape)) : found;
    },
  };
}

/** On the host, which knows the ids. */
export const sumById: SumById = (lookups) => {
  const slots = new Map<number, number>();
  const slotOf = (id: number): number => {
    if (!slots.has(id)) slots.set(id, slots.size);
    return slots.get(id)!;
  };
  const places = lookups.map(({ ids }) => tf.tensor1d(Int32Array.from(ids, slotOf), 'int32'));
  const all = tf.concat(places, 0);
  const gradients = tf.concat(
    lookups.map((r) => r.gradient),
    0,
  );
  const sums = tf.scatterND(tf.expandDims(all, 1), gradients, [slots.size, gradients.shape[1]!]);
  return { sums, places };
};
