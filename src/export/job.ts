import type { BackendInfo } from '../compute/backend.js';
import type { RestoredModel } from '../model/restore.js';
import { modelScorer } from '../model/scorer.js';
import { twoHalves } from '../model/vectors.js';
import type { Checkpoint } from '../storage/checkpoint.js';
import type { Query, StageContext } from '../types.js';
import type { Artefact } from './artefact.js';
import type { ExportContent } from './directory.js';
import { checkParity, type Parity } from './parity.js';
import type { ExportConfig } from './schema.js';
import { StoredRequests } from './stored.js';

/** One export: what is to be written of which model, and the requests it is compared on. */
export interface Job {
  readonly config: ExportConfig;
  readonly checkpoint: Checkpoint;
  readonly backend: BackendInfo;
  readonly restored: RestoredModel;
  readonly queries: readonly Query[];
}

/** What an export's directory says of the model in it. */
export type Described = Pick<ExportContent, 'signature' | 'example' | 'parity'>;

/** A request to show: one with a history, where there is one. */
export function shownRequest({ queries }: Job): Query {
  return queries.find(({ items }) => items.length > 0) ?? queries[0]!;
}

/**
 * Compares what was written with the checkpoint's own scores; keeps the requests in `dir` where the config says so.
 * @throws EXPORT_DIFFERS, INTERRUPTED
 */
export async function compare(
  dir: string,
  { config, restored, queries }: Job,
  artefact: Artefact,
  context: StageContext,
): Promise<Parity> {
  const scorer = modelScorer(restored);
  // Item vectors are what is compared, in the other format.
  const vectors = config.format === 'item-vectors' ? undefined : twoHalves(restored);
  const stored = config.parity.store
    ? new StoredRequests(queries, restored.model, scorer.items + 1)
    : undefined;
  try {
    const parity = await checkParity(scorer, artefact, queries, {
      tolerance: config.parity.tolerance,
      context,
      vectors,
      onScores: (scores) => stored?.add(scores),
    });
    await stored?.write(dir);
    return parity;
  } finally {
    vectors?.dispose();
    scorer.dispose();
  }
}
