import { RecsysError } from '../../errors.js';
import type { ItemProducts, OnlineLearner } from '../learner.js';
import { turn } from '../turn.js';
import type { RetrievalConfig } from './schema.js';
import { loadUsearch, type MakeIndex } from './usearch.js';

/** What lists of candidates are made with. */
export interface RetrievalMeans {
  readonly products: ItemProducts;
  readonly make: MakeIndex;
}

/**
 * Makes ready what takes long and needs no journal; undefined where every item is scored.
 * @throws RecsysError CONFIG_INVALID for a model whose scores are no products · ENVIRONMENT without the package
 */
export async function retrievalMeans(
  { kind }: Pick<RetrievalConfig, 'kind'>,
  { name, states }: Pick<OnlineLearner, 'name' | 'states'>,
): Promise<RetrievalMeans | undefined> {
  if (kind === 'exact') return undefined;
  const products = states?.products;
  if (!products)
    throw new RecsysError(
      'CONFIG_INVALID',
      `retrieval.kind: \`usearch\` needs a model whose scores are products of a user’s state and items’ vectors, as linear, transformer, gru, two-tower and fold-in are; ${name} is none`,
      { remedy: 'Set `retrieval.kind: exact`, or serve such a model.' },
    );
  const make = await loadUsearch();
  await products.warm?.(turn);
  return { products, make };
}
