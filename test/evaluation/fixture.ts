/** A dataset in memory from a short list of events, and what evaluation's tests share. */
import { type Dataset, SPLIT } from '../../src/data/dataset.js';
import type { DatasetManifest } from '../../src/data/manifest.js';
import type { Catalogue, Query, Scorer, StageContext } from '../../src/types.js';
import { noFeatures } from '../suites/fixtures.js';

/** user, item, part, and optionally behaviour, time, value. Rows of a user stand in order. */
export type Row = readonly [
  string,
  string,
  keyof typeof SPLIT,
  { behaviour?: string; time?: number; value?: number }?,
];

export function makeDataset(
  rows: readonly Row[],
  options: {
    items?: readonly string[];
    split?: Partial<DatasetManifest['split']>;
    time?: 'epoch' | 'order';
  } = {},
): Dataset {
  const users = ['', ...new Set(rows.map(([user]) => user))];
  const items = ['', ...(options.items ?? [...new Set(rows.map(([, item]) => item))].sort())];
  const behaviours = [...new Set(rows.map(([, , , more]) => more?.behaviour ?? 'view'))];
  const sorted = rows
    .map((row, at) => ({ row, at }))
    .sort((a, b) => users.indexOf(a.row[0]) - users.indexOf(b.row[0]) || a.at - b.at);
  const n = rows.length;
  const interactions = {
    length: n,
    user: Int32Array.from(sorted, ({ row }) => users.indexOf(row[0])),
    item: Int32Array.from(sorted, ({ row }) => items.indexOf(row[1])),
    time: Float64Array.from(sorted, ({ row, at }) => row[3]?.time ?? at),
    behaviour: Uint8Array.from(sorted, ({ row }) => behaviours.indexOf(row[3]?.behaviour ?? 'view')),
    value: Float32Array.from(sorted, ({ row }) => row[3]?.value ?? Number.NaN),
    split: Uint8Array.from(sorted, ({ row }) => SPLIT[row[2]]),
    offsets: new Int32Array(users.length + 1),
  };
  for (const user of interactions.user) interactions.offsets[user + 1]!++;
  for (let u = 1; u < interactions.offsets.length; u++)
    interactions.offsets[u]! += interactions.offsets[u - 1]!;
  const itemCounts = new Float32Array(items.length);
  interactions.split.forEach((split, row) => {
    if (split === SPLIT.train) itemCounts[interactions.item[row]!]!++;
  });
  const catalogue: Catalogue = {
    users,
    items,
    behaviours,
    titles: items.map((id) => (id === '' ? '' : `Title ${id}`)),
    itemFeatures: noFeatures(items.length),
    userFeatures: noFeatures(users.length),
    itemCounts,
  };
  const count = (part: number): number => interactions.split.filter((split) => split === part).length;
  const manifest: DatasetManifest = {
    kind: 'dataset',
    formatVersion: 1,
    createdWith: 'test',
    name: 'tiny',
    counts: {
      users: users.length - 1,
      items: items.length - 1,
      interactions: n,
      train: count(SPLIT.train),
      validation: count(SPLIT.validation),
      test: count(SPLIT.test),
      rejected: 0,
    },
    funnel: [],
    droppedUnknownItems: 0,
    attributes: { items: {}, users: {} },
    behaviours: behaviours.map((name) => ({ name, weight: 1 })),
    split: {
      kind: 'leave-last-out',
      order: 'temporal',
      catalogue: 'all',
      seed: 0,
      parameters: {},
      ...options.split,
    },
    time: options.time ?? 'order',
    ties: { usersTiedAtLast: 0 },
    columns: {},
    fingerprint: 'fingerprint',
    testSetHash: 'test set',
    files: {},
  };
  return { path: '/tiny', manifest, catalogue, interactions };
}

/** A scorer that reads each query's row from a table, by user index. */
export function tableScorer(
  rows: Readonly<Record<number, readonly number[]>>,
  items: number,
  name = 'table',
): Scorer {
  return {
    name,
    items,
    async score(queries: readonly Query[]) {
      const out = new Float32Array(queries.length * (items + 1));
      for (const [q, query] of queries.entries()) out.set([0, ...rows[query.user]!], q * (items + 1));
      return out;
    },
  };
}

export const silent: StageContext = {
  progress: () => {},
  log: () => {},
  signal: new AbortController().signal,
};

export const close = (a: number, b: number, tolerance = 1e-6): boolean => Math.abs(a - b) <= tolerance;
