import { z } from 'zod';
import { RecsysError } from '../errors.js';
import type { TensorMap } from '../types.js';

/** One line of the metrics history: epoch, step, loss, learning rate, and validation metrics where there was one. */
export type Row = { epoch: number; step: number; loss: number; learningRate: number } & Record<
  string,
  number
>;

/** Where a run stands. `bestValue` is null before the first validation. */
export interface FitProgress {
  epoch: number;
  /** Next batch inside the epoch. */
  batch: number;
  lossSum: number;
  lossCount: number;
  bestValue: number | null;
  bestEpoch: number;
  /** Validations without improvement. */
  stale: number;
  stopped: boolean;
  history: Row[];
}

/** What a run needs to go on: parameters (the best ones under `best/`), optimizer state, progress. */
export interface Snapshot {
  readonly tensors: TensorMap;
  readonly optimizer: TensorMap;
  readonly progress: unknown;
}

export function freshProgress(): FitProgress {
  return {
    epoch: 0,
    batch: 0,
    lossSum: 0,
    lossCount: 0,
    bestValue: null,
    bestEpoch: 0,
    stale: 0,
    stopped: false,
    history: [],
  };
}

const progressSchema = z.object({
  epoch: z.number(),
  batch: z.number(),
  lossSum: z.number(),
  lossCount: z.number(),
  bestValue: z.number().nullable(),
  bestEpoch: z.number(),
  stale: z.number(),
  stopped: z.boolean(),
  history: z.array(
    z
      .object({ epoch: z.number(), step: z.number(), loss: z.number(), learningRate: z.number() })
      .catchall(z.number()),
  ),
});

const PREFIX = 'best/';

export function joinBest(current: TensorMap, best: TensorMap | undefined): TensorMap {
  const joined: TensorMap = new Map(current);
  for (const [name, tensor] of best ?? []) joined.set(PREFIX + name, tensor);
  return joined;
}

/** Takes a snapshot apart; CHECKPOINT_DAMAGED where its progress is not one of ours. */
export function splitBest(snapshot: Snapshot): {
  progress: FitProgress;
  current: TensorMap;
  best: TensorMap | undefined;
} {
  const parsed = progressSchema.safeParse(snapshot.progress);
  if (!parsed.success) {
    throw new RecsysError(
      'CHECKPOINT_DAMAGED',
      `progress.json of the snapshot is unusable: ${parsed.error.issues[0]?.message}`,
    );
  }
  const current: TensorMap = new Map();
  const best: TensorMap = new Map();
  for (const [name, tensor] of snapshot.tensors) {
    if (name.startsWith(PREFIX)) best.set(name.slice(PREFIX.length), tensor);
    else current.set(name, tensor);
  }
  return { progress: parsed.data as FitProgress, current, best: best.size > 0 ? best : undefined };
}
