import type { Vocabulary } from '../compute/parameters.js';
import type { Dataset, Interactions } from '../data/dataset.js';
import { RecsysError } from '../errors.js';
import type { Catalogue, FeatureTable } from '../types.js';

/** A model's catalogue with a dataset's new users, items, behaviours and attribute values appended. */
export interface Growth {
  readonly catalogue: Catalogue;
  /** The dataset's interactions in the grown catalogue's indices. */
  readonly dataset: Dataset;
  readonly added: Readonly<Record<Vocabulary, number>>;
}

/** Index in `old` of every entry of `fresh`; unknown ones are appended. */
function union(old: readonly string[], fresh: readonly string[]): { all: string[]; map: Int32Array } {
  const all = [...old];
  const index = new Map(old.map((id, i) => [id, i]));
  const map = Int32Array.from(fresh, (id) => {
    const known = index.get(id);
    if (known !== undefined) return known;
    index.set(id, all.length);
    return all.push(id) - 1;
  });
  return { all, map };
}

/** Rows of `fresh` moved to their place behind the old ones; old entities keep their old attributes. */
function growFeatures(old: FeatureTable, fresh: FeatureTable, map: Int32Array, rows: number): FeatureTable {
  const names = union(old.tokenNames.length > 0 ? old.tokenNames : [''], fresh.tokenNames);
  const width = Math.max(old.width, fresh.width);
  const tokens = new Int32Array(rows * width);
  const numberNames = old.rows > 0 ? old.numberNames : fresh.numberNames;
  const k = numberNames.length;
  const numbers = new Float32Array(rows * k);
  for (let r = 0; r < old.rows; r++) {
    tokens.set(old.tokens.subarray(r * old.width, (r + 1) * old.width), r * width);
  }
  numbers.set(old.numbers.subarray(0, old.rows * k));
  const columns = numberNames.map((name) => fresh.numberNames.indexOf(name));
  for (let r = 0; r < fresh.rows; r++) {
    const to = map[r]!;
    if (to < old.rows) continue;
    for (let a = 0; a < fresh.width; a++)
      tokens[to * width + a] = names.map[fresh.tokens[r * fresh.width + a]!]!;
    columns.forEach((from, c) => {
      numbers[to * k + c] = from < 0 ? 0 : fresh.numbers[r * fresh.numberNames.length + from]!;
    });
  }
  return { rows, width, tokens, tokenNames: names.all, numbers, numberNames };
}

/** Joins a dataset to a model's catalogue: every old index stays, new entries follow. */
export function growCatalogue(old: Catalogue, dataset: Dataset): Growth {
  const fresh = dataset.catalogue;
  const users = union(old.users, fresh.users);
  const items = union(old.items, fresh.items);
  const behaviours = union(old.behaviours, fresh.behaviours);
  const itemCounts = new Float32Array(items.all.length);
  itemCounts.set(old.itemCounts);
  const titles = items.all.map((_, i) => old.titles[i] ?? '');
  items.map.forEach((to, from) => {
    itemCounts[to] = Math.max(itemCounts[to]!, fresh.itemCounts[from]!);
    titles[to] ||= fresh.titles[from] ?? '';
  });
  const catalogue: Catalogue = {
    users: users.all,
    items: items.all,
    behaviours: behaviours.all,
    titles,
    itemCounts,
    itemFeatures: growFeatures(old.itemFeatures, fresh.itemFeatures, items.map, items.all.length),
    userFeatures: growFeatures(old.userFeatures, fresh.userFeatures, users.map, users.all.length),
  };
  const interactions = remap(dataset.interactions, users.map, items.map, behaviours.map, users.all.length);
  const known = new Map(dataset.manifest.behaviours.map((b) => [b.name, b.weight]));
  const manifest = {
    ...dataset.manifest,
    behaviours: behaviours.all.map((name) => ({ name, weight: known.get(name) ?? 1 })),
  };
  return {
    catalogue,
    dataset: { path: dataset.path, manifest, catalogue, interactions },
    added: {
      users: users.all.length - old.users.length,
      items: items.all.length - old.items.length,
      behaviours: behaviours.all.length - old.behaviours.length,
      itemTokens: catalogue.itemFeatures.tokenNames.length - old.itemFeatures.tokenNames.length,
      userTokens: catalogue.userFeatures.tokenNames.length - old.userFeatures.tokenNames.length,
    },
  };
}

/** Interactions under new indices, regrouped by the new user numbers; the order inside a user is kept. */
function remap(
  old: Interactions,
  users: Int32Array,
  items: Int32Array,
  behaviours: Int32Array,
  userRows: number,
): Interactions {
  const offsets = new Int32Array(userRows + 1);
  const oldUser = new Int32Array(userRows);
  for (let u = 1; u < users.length; u++) oldUser[users[u]!] = u;
  const order = new Int32Array(old.length);
  let n = 0;
  for (let u = 1; u < userRows; u++) {
    offsets[u] = n;
    const from = oldUser[u]!;
    if (from === 0) continue;
    for (let r = old.offsets[from]!; r < old.offsets[from + 1]!; r++) order[n++] = r;
  }
  offsets[userRows] = n;
  return {
    length: old.length,
    user: Int32Array.from(order, (r) => users[old.user[r]!]!),
    item: Int32Array.from(order, (r) => items[old.item[r]!]!),
    time: Float64Array.from(order, (r) => old.time[r]!),
    behaviour: Uint8Array.from(order, (r) => behaviours[old.behaviour[r]!]!),
    value: Float32Array.from(order, (r) => old.value[r]!),
    split: Uint8Array.from(order, (r) => old.split[r]!),
    offsets,
  };
}

/** Below this share of known items a dataset is most likely of another domain than the model. */
const FAMILIAR = 0.05;

/** What to say of a dataset whose items a model to be continued hardly knows; undefined where it knows them. */
export function foreignWarning(old: Catalogue, { catalogue }: Dataset): string | undefined {
  const items = sharedIds(old.items, catalogue.items);
  const count = catalogue.items.length - 1;
  if (items >= FAMILIAR * count) return undefined;
  const users = sharedIds(old.users, catalogue.users);
  return (
    `the checkpoint knows ${items} of the dataset's ${count} items and ${users} of its ${catalogue.users.length - 1} users: ` +
    'little of what it learned carries over'
  );
}

/** Ids in both lists, the empty place 0 aside. */
function sharedIds(old: readonly string[], fresh: readonly string[]): number {
  const known = new Set(old.slice(1));
  return fresh.slice(1).filter((id) => known.has(id)).length;
}

/** Refuses a dataset with users' items the model doesn't know; for stages that must keep a vocabulary as it is. */
export function requireSameItems(old: Catalogue, dataset: Dataset, what: string): void {
  const known = new Set(old.items);
  const unknown = dataset.catalogue.items.filter((id) => !known.has(id));
  if (unknown.length === 0) return;
  const some = unknown
    .slice(0, 5)
    .map((id) => `"${id}"`)
    .join(', ');
  throw new RecsysError(
    'CHECKPOINT_INCOMPATIBLE',
    `${what} does not know ${unknown.length} of the dataset's ${dataset.catalogue.items.length - 1} items (${some}${unknown.length > 5 ? ', …' : ''})`,
    {
      remedy:
        'Continue the model on this dataset first (`recsys finetune` or `recsys pretrain --from`): that grows its vocabulary.',
    },
  );
}
