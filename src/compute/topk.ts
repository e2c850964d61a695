/** The best items of one row of scores, best first. */
export interface TopK {
  /** Item indices (columns of the row). */
  readonly items: Int32Array;
  readonly scores: Float32Array;
}

/** Scores of some items, which are in ascending order. */
export interface ItemScores {
  readonly items: Int32Array;
  readonly scores: Float32Array;
}

const NONE: ReadonlySet<number> = new Set();

/**
 * The k best columns of one row of a scores matrix, by a heap of size k: O(count · log k), usually far less.
 *
 * @param scores row-major scores; the row starts at `offset` and has `count` columns (items + 1).
 * @param excluded columns never returned. Column 0 (padding) and NaN scores never are.
 *
 * Equal scores are ordered by the lower index, so that the answer never depends on how the row was computed.
 */
export function topK(
  scores: Float32Array,
  offset: number,
  count: number,
  k: number,
  excluded: { has(item: number): boolean } = NONE,
): TopK {
  const size = Math.max(0, Math.min(k, count - 1));
  const items = new Int32Array(size);
  const values = new Float32Array(size);
  let held = 0;

  /** True where (score, item) ranks after the one at heap position `at`: the heap's root is the worst held. */
  const worse = (score: number, item: number, at: number): boolean =>
    score < values[at]! || (score === values[at]! && item > items[at]!);

  const siftDown = (score: number, item: number, end: number): void => {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= end) break;
      if (child + 1 < end && worse(values[child + 1]!, items[child + 1]!, child)) child++;
      if (worse(score, item, child)) break;
      values[at] = values[child]!;
      items[at] = items[child]!;
      at = child;
    }
    values[at] = score;
    items[at] = item;
  };

  if (size === 0) return { items, scores: values };
  for (let item = 1; item < count; item++) {
    const score = scores[offset + item]!;
    if (Number.isNaN(score)) continue;
    if (held === size) {
      if (worse(score, item, 0) || excluded.has(item)) continue;
      siftDown(score, item, size);
      continue;
    }
    if (excluded.has(item)) continue;
    let at = held++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!worse(score, item, parent)) break;
      values[at] = values[parent]!;
      items[at] = items[parent]!;
      at = parent;
    }
    values[at] = score;
    items[at] = item;
  }
  for (let end = held - 1; end > 0; end--) {
    const score = values[end]!;
    const item = items[end]!;
    values[end] = values[0]!;
    items[end] = items[0]!;
    siftDown(score, item, end);
  }
  return held === size
    ? { items, scores: values }
    : { items: items.slice(0, held), scores: values.slice(0, held) };
}

/** The k best of some items, in the same order. */
export function topKOf(
  { items, scores }: ItemScores,
  k: number,
  excluded: { has(item: number): boolean } = NONE,
): TopK {
  const row = new Float32Array(items.length + 1);
  row.set(scores, 1);
  const best = topK(row, 0, row.length, k, { has: (at) => excluded.has(items[at - 1]!) });
  return { items: best.items.map((at) => items[at - 1]!), scores: best.scores };
}
