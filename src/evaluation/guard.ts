import type { Dataset } from '../data/dataset.js';
import { eventHashes } from '../data/events.js';
import { RecsysError } from '../errors.js';
import type { Part } from './queries.js';

/** What the guard reads of a checkpoint. */
export interface TrainedCheckpoint {
  readonly path: string;
  readonly trainedEvents: BigUint64Array;
  readonly manifest: {
    readonly stage: string;
    readonly dataset: { readonly path: string; readonly testSetHash: string };
    readonly lineage: readonly {
      readonly stage: string;
      readonly path: string;
      readonly dataset?: { readonly path: string; readonly testSetHash: string } | undefined;
    }[];
  };
}

/**
 * Refuses a model that was trained, itself or any ancestor, on a row it is to be evaluated on.
 *
 * The checkpoint holds the hashes of all events trained on, ancestors' included. A held-out row that the dataset also
 * has as a train row (a repeat at the same time) proves nothing and is left out.
 *
 * @throws LEAK with the number of such rows and the stages that trained on another split
 */
export function refuseTrainedOnTest(
  checkpoint: TrainedCheckpoint,
  dataset: Dataset,
  part: Part = 'test',
): void {
  const heldOut = eventHashes(dataset, part);
  const leaked = countLeaks(heldOut, checkpoint.trainedEvents, eventHashes(dataset, 'train'));
  if (leaked === 0) return;
  const { manifest, path } = checkpoint;
  const stages = [...manifest.lineage, { stage: manifest.stage, path, dataset: manifest.dataset }];
  const suspects = stages.filter(
    (one) => one.dataset && one.dataset.testSetHash !== dataset.manifest.testSetHash,
  );
  const named = suspects.map((one) => `${one.stage} ${one.path} (dataset ${one.dataset!.path})`).join(', ');
  throw new RecsysError(
    'LEAK',
    `${path} was trained on ${leaked} of the ${heldOut.length} ${part} rows of ${dataset.path}` +
      (named === '' ? '' : `; trained with another test set: ${named}`),
  );
}

/** How many of `heldOut` are among `trained` and not among `own`. All ascending. */
export function countLeaks(heldOut: BigUint64Array, trained: BigUint64Array, own: BigUint64Array): number {
  let leaks = 0;
  let t = 0;
  let o = 0;
  for (const hash of heldOut) {
    while (t < trained.length && trained[t]! < hash) t++;
    while (o < own.length && own[o]! < hash) o++;
    if (t < trained.length && trained[t] === hash && own[o] !== hash) leaks++;
  }
  return leaks;
}
