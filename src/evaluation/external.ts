import type { Catalogue, Scorer } from '../types.js';

/** One line of a list made elsewhere. */
export interface RankedItem {
  readonly user: string;
  readonly item: string;
  /** Higher is better. */
  readonly score: number;
}

export interface ExternalRankings {
  readonly scorer: Scorer;
  /** Users of the dataset that have a list. */
  readonly users: number;
  /** Lines whose user or item the dataset does not know. */
  readonly unknown: number;
}

/**
 * A scorer that repeats lists made elsewhere (another tool, `recsys recommend`, a generator's oracle): items that a user's list does
 * not hold tie on the last place, and a user without a list gets nothing but ties.
 */
export function externalRankings(
  name: string,
  lines: Iterable<RankedItem>,
  catalogue: Catalogue,
): ExternalRankings {
  const users = indexOf(catalogue.users);
  const items = indexOf(catalogue.items);
  const lists = new Map<number, Map<number, number>>();
  let unknown = 0;
  let lowest = 0;
  for (const line of lines) {
    const user = users.get(line.user);
    const item = items.get(line.item);
    if (user === undefined || item === undefined) {
      unknown++;
      continue;
    }
    const list = lists.get(user) ?? new Map<number, number>();
    lists.set(user, list.set(item, line.score));
    lowest = Math.min(lowest, line.score);
  }
  const unlisted = lowest - 1 - Math.abs(lowest);
  const width = catalogue.items.length;
  return {
    users: lists.size,
    unknown,
    scorer: {
      name,
      items: width - 1,
      async score(queries) {
        const out = new Float32Array(queries.length * width).fill(unlisted);
        queries.forEach(({ user }, q) => {
          for (const [item, score] of lists.get(user) ?? []) out[q * width + item] = score;
        });
        return out;
      },
    },
  };
}

/** Index of every id, without the padding entry. */
function indexOf(ids: readonly string[]): Map<string, number> {
  return new Map(ids.map((id, i) => [id, i] as const).slice(1));
}
