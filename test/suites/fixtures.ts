import type { ParameterInits } from '../../src/compute/parameters.js';
import { type Dataset, type Interactions, SPLIT } from '../../src/data/dataset.js';
import type { DatasetManifest } from '../../src/data/manifest.js';
import { Random } from '../../src/random.js';
import type { Catalogue, FeatureTable, StageContext } from '../../src/types.js';

/** One row of a made-up dataset. */
export interface Event {
  readonly user: number;
  readonly item: number;
  readonly behaviour?: number;
  readonly value?: number;
  readonly split?: keyof typeof SPLIT;
  /** Milliseconds; default: further and further apart. */
  readonly time?: number;
}

export const names = (prefix: string, n: number): string[] => [
  '',
  ...Array.from({ length: n }, (_, i) => `${prefix}${i + 1}`),
];

export function noFeatures(rows: number): FeatureTable {
  return {
    rows,
    width: 0,
    tokens: new Int32Array(0),
    tokenNames: [''],
    numbers: new Float32Array(0),
    numberNames: [],
  };
}

/** Two tokens and one number a row; some rows have one token or none. */
export function someFeatures(rows: number, seed: number, prefix = 'genre'): FeatureTable {
  const rng = Random.of(seed, 'features');
  const tokenNames = ['', `${prefix}=a`, `${prefix}=b`, `${prefix}=c`];
  const tokens = new Int32Array(rows * 2);
  const numbers = new Float32Array(rows);
  for (let r = 1; r < rows; r++) {
    if (r % 4 !== 0) tokens[r * 2] = 1 + rng.int(3);
    if (r % 3 === 0) tokens[r * 2 + 1] = 1 + rng.int(3);
    numbers[r] = rng.normal();
  }
  return { rows, width: 2, tokens, tokenNames, numbers, numberNames: ['price'] };
}

export function catalogueOf(users: number, items: number, more: Partial<Catalogue> = {}): Catalogue {
  return {
    users: names('u', users),
    items: names('i', items),
    behaviours: ['view', 'buy'],
    titles: names('Title ', items),
    itemFeatures: noFeatures(items + 1),
    userFeatures: noFeatures(users + 1),
    itemCounts: new Float32Array(items + 1).fill(1),
    ...more,
  };
}

/** A catalogue whose items and users have attributes. */
export function richCatalogue(users: number, items: number): Catalogue {
  return catalogueOf(users, items, {
    itemFeatures: someFeatures(items + 1, 1),
    userFeatures: someFeatures(users + 1, 2, 'age'),
  });
}

/** A dataset in memory; events of a user keep the order they are given in. `epoch`: with times, else the order is all that is known. */
export function datasetOf(
  catalogue: Catalogue,
  events: readonly Event[],
  time: 'epoch' | 'order' = 'order',
): Dataset {
  const users = catalogue.users.length - 1;
  const offsets = new Int32Array(users + 2);
  const sorted: Event[] = [];
  for (let u = 1; u <= users; u++) {
    offsets[u] = sorted.length;
    sorted.push(...events.filter((e) => e.user === u));
  }
  offsets[users + 1] = sorted.length;
  const interactions: Interactions = {
    length: sorted.length,
    user: Int32Array.from(sorted, (e) => e.user),
    item: Int32Array.from(sorted, (e) => e.item),
    time: Float64Array.from(sorted, (e, i) => (time === 'order' ? i : (e.time ?? 1.7e12 + 1000 * i ** 3))),
    behaviour: Uint8Array.from(sorted, (e) => e.behaviour ?? 0),
    value: Float32Array.from(sorted, (e) => e.value ?? Number.NaN),
    split: Uint8Array.from(sorted, (e) => SPLIT[e.split ?? 'train']),
    offsets,
  };
  return { path: 'made-up', manifest: { ...manifestOf(catalogue, sorted), time }, catalogue, interactions };
}

function manifestOf(catalogue: Catalogue, events: readonly Event[]): DatasetManifest {
  const count = (split: string): number => events.filter((e) => (e.split ?? 'train') === split).length;
  return {
    kind: 'dataset',
    formatVersion: 1,
    createdWith: 'test',
    name: 'made-up',
    counts: {
      users: catalogue.users.length - 1,
      items: catalogue.items.length - 1,
      interactions: events.length,
      train: count('train'),
      validation: count('validation'),
      test: count('test'),
      rejected: 0,
    },
    funnel: [],
    droppedUnknownItems: 0,
    behaviours: catalogue.behaviours.map((name) => ({ name, weight: 1 })),
    split: { kind: 'leave-last-out', order: 'temporal', catalogue: 'train', seed: 0, parameters: {} },
    time: 'order',
    ties: { usersTiedAtLast: 0 },
    columns: {},
    attributes: { items: {}, users: {} },
    fingerprint: 'made-up',
    testSetHash: 'made-up',
    files: {},
  };
}

/** Random events over a catalogue: `least` … `most` train rows a user, with ratings 1 … 5, then a validation row. */
export function randomEvents(catalogue: Catalogue, seed: number, least = 2, most = 7): Event[] {
  const rng = Random.of(seed, 'events');
  const items = catalogue.items.length - 1;
  const event = (user: number, split: keyof typeof SPLIT): Event => ({
    user,
    item: 1 + rng.int(items),
    behaviour: rng.int(catalogue.behaviours.length),
    value: 1 + rng.int(5),
    split,
  });
  const events: Event[] = [];
  for (let user = 1; user < catalogue.users.length; user++) {
    const n = least + rng.int(most - least + 1);
    for (let k = 0; k < n; k++) events.push(event(user, 'train'));
    events.push(event(user, 'validation'));
  }
  return events;
}

/** Odd users take odd items, even users even ones, again and again: what is right is known for every pair. */
export function checkerboard(users: number, items: number, each: number): Dataset {
  const catalogue = catalogueOf(users, items, { behaviours: ['view'] });
  const rng = Random.of(5, 'checkerboard');
  const events: Event[] = [];
  for (let user = 1; user <= users; user++) {
    const own = (): number => 2 * rng.int(items / 2) + 1 + ((user + 1) % 2);
    for (let k = 0; k < each; k++) events.push({ user, item: own(), value: 5 });
    events.push({ user, item: own(), value: 5, split: 'validation' });
  }
  return datasetOf(catalogue, events, 'epoch');
}

/** Share of (own group, other group) item pairs in the right order, over users; `scores` [users × (items + 1)]. */
export function checkerboardOrder(scores: Float32Array, users: readonly number[], items: number): number {
  let right = 0;
  let pairs = 0;
  users.forEach((user, row) => {
    const at = (item: number): number => scores[row * (items + 1) + item]!;
    for (let own = 1 + ((user + 1) % 2); own <= items; own += 2) {
      for (let other = 1 + (user % 2); other <= items; other += 2) {
        pairs++;
        if (at(own) > at(other)) right++;
      }
    }
  });
  return right / pairs;
}

/** The same parameters with noise on every value (padding rows too), so that no gradient is zero by initialisation. */
export function withNoise(inits: ParameterInits, seed: number, size = 0.3): ParameterInits {
  const rng = Random.of(seed, 'noise');
  return new Map(
    [...inits].map(([name, init]) => [
      name,
      init.fixed ? init : { ...init, data: Float32Array.from(init.data, (v) => v + size * rng.normal()) },
    ]),
  );
}

/** A context that keeps what was logged and stops when told to. */
export function recordingContext(): StageContext & { lines: string[]; stop(): void; done: number[] } {
  const controller = new AbortController();
  const lines: string[] = [];
  const done: number[] = [];
  return {
    lines,
    done,
    signal: controller.signal,
    stop: () => controller.abort(),
    progress: (event) => void done.push(event.done),
    log: (level, message) => void lines.push(`${level}: ${message}`),
  };
}
