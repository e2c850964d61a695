import { type RestoredModel, restoreModel } from '../model/restore.js';
import { takesItems, withRoom } from '../model/room.js';
import type { Checkpoint } from '../storage/checkpoint.js';
import type { LearningConfig } from './schema.js';

interface RoomyOptions {
  /** The one named. */
  readonly checkpoint: Checkpoint;
  readonly adapters: ReadonlyMap<string, unknown>;
  readonly learning: LearningConfig;
  readonly seed: number;
}

/**
 * The model with room for items that come. How many is counted from the checkpoint named, not from a snapshot of it, which may have taken
 * some in: what is skipped for want of room must not depend on when the service was last started.
 */
export function roomyModel(
  source: Checkpoint,
  { checkpoint, learning, adapters, seed }: RoomyOptions,
): RestoredModel {
  const restored = restoreModel(source);
  if (!learning.enabled || adapters.size > 0 || !takesItems(restored.inits)) return restored;
  return withRoom(restored, checkpoint.catalogue.items.length + learning.newItems, seed, source.path);
}

/** Whether a checkpoint was trained, or has learned while it was served, by the error of values. */
export function foretellsValues(config: unknown): boolean {
  const { loss, learning } = (config ?? {}) as { loss?: unknown; learning?: { loss?: unknown } };
  return loss === 'mse' || learning?.loss === 'mse';
}
