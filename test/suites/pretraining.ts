import assert from 'node:assert/strict';
import type { Dataset } from '../../src/data/dataset.js';
import { restoreModel } from '../../src/model/restore.js';
import { pretrain, pretrainSchema } from '../../src/training/pretrain.js';
import type { Snapshot } from '../../src/training/progress.js';
import type { StageHooks, TrainedModel } from '../../src/training/stage.js';
import { assertSameTensors } from './assertions.js';
import { recordingContext } from './fixtures.js';

/** A transformer with dropout that trains in an instant. */
export const TINY_TRANSFORMER = {
  name: 'transformer',
  width: 4,
  depth: 1,
  heads: 1,
  length: 4,
  dropout: 0.3,
} as const;

/** Keeps the snapshots of a stage, and goes on from one. */
export const hooks = (snapshots: Snapshot[] = [], resumeFrom?: Snapshot): StageHooks => ({
  saveSnapshot: async (s) => void snapshots.push(s),
  resumeFrom,
  onEpoch() {},
});

/** What a stage has trained, as if it were read from a checkpoint. */
export const restored = ({ config, catalogue, tensors }: TrainedModel) =>
  restoreModel({ path: 'trained', manifest: { model: { config } }, tensors, catalogue });

/** Pretraining of two epochs on a dataset, of `TINY_TRANSFORMER` where the config names no model. */
export const pretraining =
  (dataset: Dataset) =>
  (config: object, snapshots: Snapshot[] = [], resumeFrom?: Snapshot) =>
    pretrain(
      pretrainSchema.parse({
        data: 'x',
        epochs: 2,
        batchSize: 3,
        model: TINY_TRANSFORMER,
        seed: 5,
        ...config,
      }),
      dataset,
      undefined,
      hooks(snapshots, resumeFrom),
      recordingContext(),
    );

/**
 * An addition to the loss ends with the same bits when it is resumed, with tables whole and by rows, and makes another model than without.
 * Gives the first epoch's loss, with and without, of each.
 */
export async function assertResumes(
  run: ReturnType<typeof pretraining>,
  added: object,
  without: object,
): Promise<{ whole: number; plain: number }[]> {
  const losses = [];
  for (const loss of ['softmax', 'sampled-softmax']) {
    const config = { loss, negatives: 4, snapshotSteps: 1, accumulate: 2 };
    const snapshots: Snapshot[] = [];
    const whole = await run({ ...config, ...added }, snapshots);
    const again = await run({ ...config, ...added }, [], snapshots[0]);
    assertSameTensors(again.tensors, whole.tensors, 'best parameters');
    assertSameTensors(again.fit.last.tensors, whole.fit.last.tensors, 'last parameters');
    assertSameTensors(again.fit.last.optimizer, whole.fit.last.optimizer, 'optimizer');
    const plain = await run({ ...config, ...without });
    assert.notDeepEqual(plain.fit.last.tensors, whole.fit.last.tensors);
    losses.push({ whole: whole.fit.history[0]!.loss, plain: plain.fit.history[0]!.loss });
  }
  return losses;
}
