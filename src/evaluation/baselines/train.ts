import { type Dataset, SPLIT } from '../../data/dataset.js';

/** Train rows as a binary user–item matrix in both orientations (compressed sparse rows), each pair once. */
export interface TrainMatrix {
  readonly users: number;
  readonly items: number;
  /** User u's distinct items, ascending: userItems[userOffsets[u] … userOffsets[u + 1]). */
  readonly userOffsets: Int32Array;
  readonly userItems: Int32Array;
  readonly itemOffsets: Int32Array;
  readonly itemUsers: Int32Array;
}

export function trainMatrix(dataset: Dataset): TrainMatrix {
  const rows = dataset.interactions;
  const users = dataset.catalogue.users.length - 1;
  const items = dataset.catalogue.items.length - 1;
  const userOffsets = new Int32Array(users + 2);
  const userItems = new Int32Array(rows.length);
  const itemOffsets = new Int32Array(items + 2);
  let held = 0;
  for (let user = 1; user <= users; user++) {
    userOffsets[user] = held;
    const start = held;
    for (let row = rows.offsets[user]!; row < rows.offsets[user + 1]!; row++) {
      if (rows.split[row] === SPLIT.train) userItems[held++] = rows.item[row]!;
    }
    const own = userItems.subarray(start, held).sort();
    held = start;
    for (let i = 0; i < own.length; i++) if (i === 0 || own[i] !== own[i - 1]) userItems[held++] = own[i]!;
    for (let i = start; i < held; i++) itemOffsets[userItems[i]! + 1]!++;
  }
  userOffsets[users + 1] = held;
  for (let item = 1; item <= items + 1; item++) itemOffsets[item]! += itemOffsets[item - 1]!;
  const itemUsers = new Int32Array(held);
  const next = itemOffsets.slice();
  for (let user = 1; user <= users; user++) {
    for (let i = userOffsets[user]!; i < userOffsets[user + 1]!; i++)
      itemUsers[next[userItems[i]!]!++] = user;
  }
  return { users, items, userOffsets, userItems: userItems.slice(0, held), itemOffsets, itemUsers };
}

/** Distinct items of a history. */
export function distinct(items: Int32Array): number[] {
  return [...new Set(items)];
}
