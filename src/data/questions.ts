/** What is known of an item once a user was asked about it. */
export const ANSWERS = ['unknown', 'low', 'high'] as const;
export type Answer = (typeof ANSWERS)[number];

/** A question about an item, and which one follows each answer. */
export interface Question<Item> {
  readonly item: Item;
  /** A value below it is a low answer; where there are no values, to know an item is a high one. */
  readonly threshold: number;
  readonly next: { readonly [A in Answer]?: Question<Item> | undefined };
}

/** @param value of the item; NaN where it has none, undefined where the item is not known */
export function answerOf(value: number | undefined, threshold: number): Answer {
  if (value === undefined) return 'unknown';
  return value < threshold ? 'low' : 'high';
}

/** The items that a user is asked about, one after the other, given the value of each. */
export function way<Item>(
  root: Question<Item> | undefined,
  answer: (item: Item) => number | undefined,
): Item[] {
  const items: Item[] = [];
  for (let node = root; node; node = node.next[answerOf(answer(node.item), node.threshold)])
    items.push(node.item);
  return items;
}
