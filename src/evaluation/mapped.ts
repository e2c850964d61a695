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

/** How a dataset's numbers become a model's: index in the model of each entry, 0 (behaviours: −1) where it has none. */
interface Translations {
  readonly items: Int32Array;
  readonly users: Int32Array;
  readonly behaviours: Int32Array;
}

function translations(model: Catalogue, dataset: Catalogue): Translations {
  return {
    items: translation(dataset.items, model.items, 1),
    users: translation(dataset.users, model.users, 1),
    behaviours: translation(dataset.behaviours, model.behaviours, 0),
  };
}

function translated({ items, users, behaviours }: Translations, query: Query): Query {
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
}

/** A dataset's histories in a model's numbers, by external ids; events on items that the model does not know are left out. */
export function queriesFor(model: Catalogue, dataset: Catalogue): (query: Query) => Query {
  if (sameVocabulary(model, dataset)) return (query) => query;
  const tables = translations(model, dataset);
  return (query) => translated(tables, query);
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
  const tables = translations(model, dataset);
  const { items, users, behaviours } = tables;
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
      const inner = await scorer.score(queries.map((query) => translated(tables, query)));
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
