import type { ItemScores, TopK } from '../../compute/topk.js';
import type { FallbackReason } from '../../protocol/recommendations.js';
import { ofSome } from './candidates.js';
import type { Retrieval } from './retrieval.js';

/** The model's scores, of all items or of candidates, or why there are none. */
export type ModelScores = Float32Array | ItemScores | FallbackReason;

/** How a list comes about. */
export interface Listing<L> {
  readonly k: number;
  /** @param all whether every item is to be scored, and not the candidates alone */
  scores(all: boolean): Promise<ModelScores>;
  list(model: ModelScores): Promise<L>;
  /** The best of scores by the same rules, and of every score. */
  best(scores: Float32Array | ItemScores): Promise<TopK>;
  all(): Promise<Float32Array>;
}

/** A list with the scores that it was made of: those of candidates, where rules leave enough of them, else of all items. */
export async function listed<L extends TopK>(
  listing: Listing<L>,
  retrieval: Pick<Retrieval, 'served' | 'compares'> | undefined,
): Promise<{ readonly model: ModelScores; readonly list: L }> {
  const model = await listing.scores(false);
  const list = await listing.list(model);
  if (typeof model === 'string' || !retrieval) return { model, list };
  if (!ofSome(model)) {
    retrieval.served('exact');
    return { model, list };
  }
  if (list.items.length < listing.k) {
    const all = await listing.scores(true);
    if (typeof all === 'string') return { model, list };
    retrieval.served('short');
    return { model: all, list: await listing.list(all) };
  }
  retrieval.served('index');
  retrieval.compares(async () => {
    const exact = await listing.best(await listing.all());
    return { found: (await listing.best(model)).items, exact: exact.items };
  });
  return { model, list };
}
