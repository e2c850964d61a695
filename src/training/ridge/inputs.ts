import type { Catalogue, FeatureTable } from '../../types.js';

/** Which row of a fit belongs to what: 0 is the constant, an item has its own number, then come the values of attributes. */
export interface Inputs {
  readonly size: number;
  /** First row of the values of user attributes, less one: token a has row `users + a`. */
  readonly users: number;
  readonly userTokens: number;
  /** The same of item attributes. */
  readonly items: number;
  readonly itemTokens: number;
  /** Rows that are 1 at every position of a user. */
  ofUser(user: number): number[];
  /** Rows of an item's attribute values. */
  ofItem(item: number): number[];
}

/** The rows for a catalogue, with those of the attributes that the model reads. */
export function inputsOf(
  { items, itemFeatures, userFeatures }: Catalogue,
  reads: { readonly itemAttributes: boolean; readonly userAttributes: boolean },
): Inputs {
  const count = (table: FeatureTable): number =>
    table.width > 0 ? Math.max(0, table.tokenNames.length - 1) : 0;
  const userTokens = reads.userAttributes ? count(userFeatures) : 0;
  const itemTokens = reads.itemAttributes ? count(itemFeatures) : 0;
  const users = items.length - 1;
  const ofItems = users + userTokens;
  const rowsOf = ({ tokens, width }: FeatureTable, row: number, before: number): number[] =>
    [...new Set(tokens.subarray(row * width, (row + 1) * width))].filter((a) => a > 0).map((a) => before + a);
  return {
    size: 1 + ofItems + itemTokens,
    ...{ users, userTokens, items: ofItems, itemTokens },
    ofUser: (user) => [0, ...(userTokens > 0 ? rowsOf(userFeatures, user, users) : [])],
    ofItem: (item) => (itemTokens > 0 ? rowsOf(itemFeatures, item, ofItems) : []),
  };
}
