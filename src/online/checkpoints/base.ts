import type { Checkpoint } from '../../storage/checkpoint.js';
import { Eras } from './eras.js';

/** What a service begins with: a checkpoint, and which updates of the journal were made on it. */
export interface Base {
  readonly checkpoint: Checkpoint;
  readonly eras: Eras;
}

/** A checkpoint that the whole journal was served with. */
export const onlyBase = (checkpoint: Checkpoint): Base => ({
  checkpoint,
  eras: Eras.of({ sha256: checkpoint.manifestSha256, path: checkpoint.path }),
});
