import { z } from 'zod';
import { path } from '../config/fields.js';
import type { Dataset } from '../data/dataset.js';
import { Random } from '../random.js';
import type { Catalogue } from '../types.js';
import type { BatchSource } from './batches.js';
import { type Growth, growCatalogue, requireSameItems } from './growth.js';
import { targetsSchema } from './schema.js';

/** `replay` of finetune. */
export const replaySchema = z.strictObject({
  data: path('prepared dataset that the checkpoint was trained on'),
  share: z.number().gt(0).lt(1).default(0.2).describe('share of the batches that are made of it'),
  targets: targetsSchema,
});
export type ReplayConfig = z.output<typeof replaySchema>;

/** What is trained on besides, lest it be forgotten. */
export interface Replay extends Pick<ReplayConfig, 'share' | 'targets'> {
  readonly dataset: Dataset;
}

/**
 * A target dataset and the one of before under one catalogue: the checkpoint's, with what is new in either.
 * @param key the YAML's, of the dataset of before
 * @throws CHECKPOINT_INCOMPATIBLE where the one of before has items that the checkpoint does not know: it was not trained on that
 */
export function growTogether(old: Catalogue, target: Dataset, before: Dataset, key: string) {
  requireSameItems(old, before, `${key}: the checkpoint`);
  const first = growCatalogue(old, target);
  const second = growCatalogue(first.catalogue, before);
  // Again, for the users that only the one of before has.
  const { dataset } = growCatalogue(second.catalogue, target);
  const names = Object.keys(first.added) as (keyof Growth['added'])[];
  const added = Object.fromEntries(names.map((name) => [name, first.added[name] + second.added[name]]));
  return { dataset, before: second.dataset, added: added as Growth['added'] };
}

/**
 * Batches with others among them, of which they are `share` of all: at places drawn anew for each epoch, and one after the other, so that an
 * epoch goes on with them where the one before it ended.
 */
export function withReplay(fresh: BatchSource, old: BatchSource, share: number, seed: number): BatchSource {
  const own = fresh.batchesPerEpoch;
  const others = Math.max(1, Math.round((own * share) / (1 - share)));
  const total = own + others;
  let cached: { epoch: number; order: Int32Array } | undefined;
  const read = (epoch: number, index: number, how: 'batch' | 'outline') => {
    if (cached?.epoch !== epoch) cached = { epoch, order: replayOrder(own, others, seed, epoch) };
    const at = cached.order[index]!;
    if (at < own) return fresh[how]?.(epoch, at) ?? fresh.batch(epoch, at);
    const count = epoch * others + at - own;
    const [round, place] = [Math.floor(count / old.batchesPerEpoch), count % old.batchesPerEpoch];
    return old[how]?.(round, place) ?? old.batch(round, place);
  };
  return {
    batchesPerEpoch: total,
    batch: (epoch, index) => read(epoch, index, 'batch'),
    outline: (epoch, index) => read(epoch, index, 'outline'),
    close() {
      fresh.close?.();
      old.close?.();
    },
  };
}

/** Numbers 0 … own − 1 in order, and the following ones, in order too, among them. */
function replayOrder(own: number, others: number, seed: number, epoch: number): Int32Array {
  const places = Int32Array.from({ length: own + others }, (_, i) => i);
  const drawn = new Set(Random.of(seed, 'replay', epoch).shuffle(places.slice()).slice(own));
  let [mine, theirs] = [0, own];
  return places.map((place) => (drawn.has(place) ? theirs++ : mine++));
}
