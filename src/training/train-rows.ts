import { type Dataset, SPLIT } from '../data/dataset.js';
import { RecsysError } from '../errors.js';
import type { Reads } from '../model/scorer.js';
import { withoutTimes } from '../model/times.js';
import { Random } from '../random.js';
import type { TargetsConfig } from './schema.js';

/** The train rows of a dataset, user by user in order, as the batches read them. */
export interface TrainRows {
  readonly users: number;
  /** [users + 2] user u's rows are offsets[u] … offsets[u + 1] − 1. */
  readonly offsets: Int32Array;
  readonly item: Int32Array;
  /** Behaviour index + 1. */
  readonly behaviour: Int32Array;
  readonly value: Float32Array;
  /** Weight of the row as a target: its behaviour's weight, or 0 where it is none. */
  readonly weight: Float32Array;
  /** Row at which an event's basket begins; only where events of one time are one (`targets.baskets`). */
  readonly begins?: Int32Array;
  /** Milliseconds since the epoch; only where a model reads times. */
  readonly time?: Float64Array;
  /** Share of the targets whose behaviour a model is not told; only where one reads it. */
  readonly unasked?: number;
  /** Subtracted from values before a model reads them; only where one does. */
  readonly center?: number;
}

/**
 * Collects the train rows and says which of them are targets; with `sample` only those of a share of the users, drawn by the seed.
 * Throws CONFIG_INVALID for an unknown behaviour, DATA_EMPTY where there is no target or, `timed` or by baskets, no time.
 */
export function trainRows(
  dataset: Dataset,
  targets: TargetsConfig,
  {
    timed = false,
    asked = false,
    center,
    sample,
  }: {
    readonly timed?: boolean | undefined;
    readonly asked?: boolean | undefined;
    readonly center?: number | undefined;
    readonly sample?: { readonly share: number; readonly seed: number };
  } = {},
): TrainRows {
  const { interactions, manifest, catalogue } = dataset;
  const users = catalogue.users.length - 1;
  const baskets = targets.baskets ?? false;
  if (timed && manifest.time !== 'epoch') throw withoutTimes(dataset.path);
  if (baskets && manifest.time !== 'epoch')
    throw new RecsysError('DATA_EMPTY', `targets.baskets: events have no times in ${dataset.path}`, {
      remedy: 'Map a `time` column in `recsys prepare`, or leave `targets.baskets` out.',
    });
  const weights = behaviourWeights(dataset, targets);
  const total = manifest.counts.train;
  const rows = {
    users,
    offsets: new Int32Array(shared(users + 2)),
    item: new Int32Array(shared(total)),
    behaviour: new Int32Array(shared(total)),
    value: new Float32Array(shared(total)),
    weight: new Float32Array(shared(total)),
    ...(baskets ? { begins: new Int32Array(shared(total)) } : {}),
    ...(timed ? { time: new Float64Array(shared(2 * total)) } : {}),
    ...(asked ? { unasked: targets.unasked ?? 0 } : {}),
    ...(center === undefined ? {} : { center }),
  };
  let n = 0;
  for (let user = 1; user <= users; user++) {
    rows.offsets[user] = n;
    let before = Number.NaN;
    for (let r = interactions.offsets[user]!; r < interactions.offsets[user + 1]!; r++) {
      if (interactions.split[r] !== SPLIT.train) continue;
      const value = interactions.value[r]!;
      const enough = targets.minimumValue === undefined || value >= targets.minimumValue;
      rows.item[n] = interactions.item[r]!;
      rows.behaviour[n] = interactions.behaviour[r]! + 1;
      rows.value[n] = value;
      const time = interactions.time[r]!;
      if (rows.time) rows.time[n] = time;
      if (rows.begins) rows.begins[n] = time === before ? rows.begins[n - 1]! : n;
      before = time;
      rows.weight[n] = enough ? weights[interactions.behaviour[r]!]! : 0;
      n++;
    }
    if (targets.recent !== undefined)
      rows.weight.fill(0, rows.offsets[user], Math.max(rows.offsets[user]!, n - targets.recent));
  }
  rows.offsets[users + 1] = n;
  if (sample) keepSome(rows, sample);
  if (!rows.weight.some((w) => w > 0)) {
    throw new RecsysError('DATA_EMPTY', `${dataset.path}: no train row is a target`, {
      remedy:
        'Loosen `targets` (behaviours, weights, minimumValue), or prepare the dataset with a train split.',
    });
  }
  return rows;
}

/** One past the newest row that this one is predicted from: the row itself, or where its basket begins. */
export const knownUntil = ({ begins }: Pick<TrainRows, 'begins'>, row: number): number =>
  begins?.[row] ?? row;

/** What of the rows a model reads besides items and behaviours. */
export function columnsOf({ readsTimes, readsValues, readsAsked }: Omit<Reads, 'length'>) {
  return { timed: readsTimes, asked: readsAsked, center: readsValues?.center };
}

/** The same rows with what this model reads of them, and no more. */
export function rowsFor({ time, center: _, unasked, ...rows }: TrainRows, model: Reads): TrainRows {
  const { timed, asked, center } = columnsOf(model);
  return {
    ...rows,
    ...(timed && time ? { time } : {}),
    ...(asked && unasked !== undefined ? { unasked } : {}),
    ...(center === undefined ? {} : { center }),
  };
}

/** Leaves targets to a share of the users that have any: to at least one. */
function keepSome(rows: TrainRows, { share, seed }: { share: number; seed: number }): void {
  const weightsOf = (user: number): Float32Array =>
    rows.weight.subarray(rows.offsets[user], rows.offsets[user + 1]);
  const able = Array.from({ length: rows.users }, (_, i) => i + 1).filter((user) =>
    weightsOf(user).some((w) => w > 0),
  );
  const order = Random.of(seed, 'users').shuffle(able);
  for (const user of order.slice(Math.max(1, Math.round(share * able.length)))) weightsOf(user).fill(0);
}

/** Memory of `n` numbers of four bytes that a worker sees without a copy. */
function shared(n: number): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * n);
}

function behaviourWeights(dataset: Dataset, targets: TargetsConfig): number[] {
  const known = dataset.manifest.behaviours;
  const named = { behaviours: targets.behaviours ?? [], weights: Object.keys(targets.weights ?? {}) };
  for (const [key, names] of Object.entries(named)) {
    const name = names.find((one) => !known.some((b) => b.name === one));
    if (name === undefined) continue;
    const list = known.map((b) => b.name).join(', ');
    throw new RecsysError(
      'CONFIG_INVALID',
      `targets.${key}: "${name}" is not in the dataset (it has ${list})`,
    );
  }
  const wanted = (name: string): boolean => targets.behaviours?.includes(name) ?? true;
  return dataset.catalogue.behaviours.map((name) => {
    const weight = targets.weights?.[name] ?? known.find((b) => b.name === name)?.weight ?? 1;
    return wanted(name) ? weight : 0;
  });
}
