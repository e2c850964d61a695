import type { Catalogue, Query, Scorer } from '../types.js';

/** The score of an item that the model does not know: below every other, and finite so that ranks are defined. */
export const UNKNOWN_SCORE = -3.4028234663852886e38;

/** A scorer in the dataset's indices over a model with a vocabulary of its own. */
export interface MappedScorer extends Scorer {
  /** Items of the dataset that the model does not know: they tie on the last place. */
  readonly unknownItems: number;
  /** Users of the dataset that the model does not know: it sees their history only. */
  readonly unknownUsers: number;
  /** Behaviours that the model does not know, read as its first. */
  readonly unknownBehaviours: readonly string[];
}

/** Whether two catalogues number users, items and behaviours alike. */
export function sameVocabulary(a: Catalogue, b: Catalogue): boolean {
  return equal(a.items, b.items) && equal(a.users, b.users) && equal(a.behaviours, b.behaviours);
}

function equal(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((value, i) => value === b[i]));
}

/** A model's scorer in the indices of a dataset's catalogue: itself where they are the model's own. */
export function scorerFor(scorer: Scorer, model: Catalogue, dataset: Catalogue): Scorer {
  return sameVocabulary(model, dataset) ? scorer : mappedScorer(scorer, model, dataset);
}

/** Index in `to` of every entry of `from`; 0 where it has none. */
function translation(from: readonly string[], to: readonly string[], start: number): Int32Array {
  const index = new Map(to.map((id, i) => [id, i]));
  return Int32Array.from(from, (id, i) => (i < start ? 0 : (index.get(id) ?? (start === 0 ? -1 : 0))));
}

/** A dataset's indices in a model's: 0 for an item or user that it does not know, −1 for a behaviour; events on unknown items are left out. */
export function translated(model: Catalogue, dataset: Catalogue) {
  const items = translation(dataset.items, model.items, 1);
  const users = translation(dataset.users, model.users, 1);
  const behaviours = translation(dataset.behaviours, model.behaviours, 0);
  const translate = (query: Query): Query => {
    const asks = query.asks === undefined ? -1 : behaviours[query.asks]!;
    const known = Array.from(query.items, (_, i) => i).filter((i) => items[query.items[i]!]! > 0);
    return {
      user: users[query.user]!,
      items: Int32Array.from(known, (i) => items[query.items[i]!]!),
      behaviours: Uint8Array.from(known, (i) => Math.max(0, behaviours[query.behaviours[i]!]!)),
      ...(query.times ? { times: Float64Array.from(known, (i) => query.times![i]!) } : {}),
      ...(query.values ? { values: Float32Array.from(known, (i) => query.values![i]!) } : {}),
      // Of a behaviour that the model does not know it is asked nothing in particular.
      ...(asks >= 0 ? { asks } : {}),
    };
  };
  return { items, users, behaviours, translate };
}

/** A dataset's histories in a model's indices. */
export function queriesFor(model: Catalogue, dataset: Catalogue): (query: Query) => Query {
  return sameVocabulary(model, dataset) ? (query) => query : translated(model, dataset).translate;
}

/**
 * Lets a model with another vocabulary rank a dataset's catalogue, by external ids: histories go from dataset to model
 * (events on unknown items are left out), scores from model to dataset.
 *
 * @param scorer in the model's indices
 * @param model the model's catalogue
 * @param dataset the catalogue to rank
 */
export function mappedScorer(scorer: Scorer, model: Catalogue, dataset: Catalogue): MappedScorer {
  const { items, users, behaviours, translate } = translated(model, dataset);
  const width = items.length;
  const unknown = (table: Int32Array): number =>
    table.subarray(1).reduce((n, to) => n + (to === 0 ? 1 : 0), 0);
  return {
    name: scorer.name,
    items: width - 1,
    unknownItems: unknown(items),
    unknownUsers: unknown(users),
    unknownBehaviours: dataset.behaviours.filter((_, i) => behaviours[i] === -1),
    async score(queries) {
      const inner = await scorer.score(queries.map(translate));
      const out = new Float32Array(queries.length * width).fill(UNKNOWN_SCORE);
      for (let q = 0; q < queries.length; q++) {
        const from = q * (scorer.items + 1);
        for (let item = 1; item < width; item++) {
          if (items[item]! > 0) out[q * width + item] = inner[from + items[item]!]!;
        }
      }
      return out;
    },
  };
}
