import { z } from 'zod';
import type { BackendInfo } from '../compute/backend.js';
import { RecsysError } from '../errors.js';
import { type Checkpoint, lineageOf, readExtra, writeCheckpoint } from '../storage/checkpoint.js';
import { decodeSafetensors, encodeSafetensors } from '../storage/safetensors.js';
import { machine } from '../storage/versions.js';
import type { Catalogue, HostTensor, TensorMap } from '../types.js';
import { learningStateSchema } from './guard/learning-state.js';
import type { LearnerState } from './learner.js';
import type { ServicePosition } from './position.js';
import { decodeQueue, encodeQueue, queueFacts } from './waiting.js';

/**
 * A served checkpoint is an ordinary one, with two more files that let the service go on where it stopped:
 * `online.json` (journal position, users, recent event ids, events not yet learned) and `online.safetensors` (histories, popularity, optimizer
 * state).
 */
const FILE = { facts: 'online.json', tensors: 'online.safetensors' } as const;

/** A list that may have a million entries, each looked at and no more: a schema an entry takes longer than all the rest of a start. */
const listOf = <T>(what: string, fits: (one: unknown) => boolean) =>
  z.custom<T[]>((list) => Array.isArray(list) && list.every(fits), `expected a list of ${what}`);
const strings = listOf<string>('strings', (one) => typeof one === 'string');
const integers = listOf<number>('whole numbers', Number.isSafeInteger);

const factsSchema = z.object({
  formatVersion: z.literal(2),
  journalId: z.string(),
  position: z.number().int(),
  queue: queueFacts,
  learning: learningStateSchema.prefault({}),
  ids: z.object({ ids: strings, seqs: integers }),
  /** Users with weights of their own, as rows of the tensors `served.offsets` and `adapted.offsets`. */
  offsets: z.strictObject({
    served: strings.exactOptional(),
    adapted: strings.exactOptional(),
  }),
  clicks: z.object({ bits: z.number().int() }).exactOptional(),
  baseVersion: z.string(),
  /** What was served: a snapshot stands for this model with this dataset's histories at this position. */
  base: z.object({ model: z.string(), data: z.string().nullable() }),
  optimizer: z.string(),
  /** How the learner computed. */
  arithmetic: z.string().default('tensors'),
  /** Rows of items the model had, free ones too: what the optimizer's state is of. */
  rows: z.number().int(),
  users: strings,
});

const COLUMNS = ['history', 'waiting'].flatMap((of) =>
  ['offsets', 'items', 'behaviours'].map((column) => `${of}.${column}`),
);

const CLICKS = ['clicks.slots', 'clicks.weights'];
const ITEMS = ['items.seen', 'items.clock'];

/** Where a served checkpoint stood in its journal. */
export interface OnlineState
  extends Omit<
    z.output<typeof factsSchema>,
    'users' | 'formatVersion' | 'position' | 'queue' | 'learning' | 'ids' | 'offsets' | 'clicks'
  > {
  readonly state: ServicePosition;
  readonly optimizerState: TensorMap;
  /** [rows] which items have values of their own. */
  readonly introduced: Uint8Array;
}

/** The online state of a checkpoint, or undefined where a training stage wrote it. */
export async function readOnlineState(checkpoint: Checkpoint): Promise<OnlineState | undefined> {
  const facts = await readExtra(checkpoint, FILE.facts);
  const bytes = await readExtra(checkpoint, FILE.tensors);
  if (!facts || !bytes) return undefined;
  const where = `${checkpoint.path}/${FILE.facts}`;
  const parsed = factsSchema.safeParse(JSON.parse(new TextDecoder().decode(facts)));
  if (!parsed.success) {
    throw new RecsysError('CHECKPOINT_INCOMPATIBLE', `${where} is not an online state of format version 2`);
  }
  const tensors = decodeSafetensors(bytes, `${checkpoint.path}/${FILE.tensors}`);
  const { users, position, queue, learning, ids, offsets, clicks, ...rest } = parsed.data;
  const popularity = tensors.get('popularity');
  const needed = ['introduced', ...COLUMNS, ...(clicks ? CLICKS : [])];
  if (!popularity || needed.some((name) => !tensors.has(name))) {
    throw new RecsysError(
      'CHECKPOINT_DAMAGED',
      `${checkpoint.path}/${FILE.tensors} lacks histories, popularity, the click model or which items are known`,
    );
  }
  return {
    ...rest,
    state: {
      position,
      queue: decodeQueue(queue, tensors),
      learning,
      ids,
      offsets: Object.fromEntries(Object.entries(offsets).map(([name, users]) => [name, { users, tensors }])),
      histories: { users, tensors },
      items: tensors,
      ...(clicks ? { clicks: { ...clicks, tensors: only(tensors, CLICKS) } } : {}),
      popularity: popularity.data as Float32Array,
    },
    optimizerState: prefixed(tensors, 'optimizer/'),
    introduced: tensors.get('introduced')!.data as Uint8Array,
  };
}

const only = (tensors: TensorMap, names: readonly string[]): TensorMap =>
  new Map(names.flatMap((name) => (tensors.has(name) ? [[name, tensors.get(name)!]] : [])));

function prefixed(tensors: TensorMap, prefix: string): TensorMap {
  const found = [...tensors].filter(([name]) => name.startsWith(prefix));
  return new Map(found.map(([name, tensor]): [string, HostTensor] => [name.slice(prefix.length), tensor]));
}

export interface ServedState {
  /** The checkpoint named by the user, and the one whose parameters were taken up (a snapshot of it, or itself). */
  readonly base: Checkpoint;
  /** Names what is served, of this journal. */
  readonly baseId: string;
  /** The base's, with the items that came. */
  readonly catalogue: Catalogue;
  readonly journalId: string;
  readonly baseVersion: string;
  readonly data: string | null;
  readonly optimizer: string;
  /** How the learner computes. */
  readonly arithmetic: string;
  /** Rows of items of the model served, free ones too. */
  readonly rows: number;
  readonly learner: LearnerState;
  readonly state: ServicePosition;
  readonly backend: BackendInfo;
  readonly config: unknown;
  readonly seed: number;
  readonly metrics: Readonly<Record<string, number>>;
  /** Sorted hashes of all events trained on, those learned while serving included. */
  readonly trainedEvents: BigUint64Array;
}

/** The two files that hold an online state, by name. */
export function onlineFiles(online: OnlineState): Map<string, Uint8Array> {
  const { state, optimizerState, introduced } = online;
  const queue = encodeQueue(state.queue);
  const tensors: TensorMap = new Map([
    ...state.histories.tensors,
    ...(state.items ? only(state.items, ITEMS) : []),
    ...queue.tensors,
    ...Object.values(state.offsets).flatMap(({ tensors }) => [...tensors]),
    ...(state.clicks?.tensors ?? []),
    ['introduced', { dtype: 'U8', shape: [introduced.length], data: introduced }],
    ['popularity', { dtype: 'F32', shape: [state.popularity.length], data: state.popularity }],
    ...[...optimizerState].map(([name, tensor]): [string, HostTensor] => [`optimizer/${name}`, tensor]),
  ]);
  const facts: z.input<typeof factsSchema> = {
    formatVersion: 2,
    journalId: online.journalId,
    position: state.position,
    queue: queue.facts,
    learning: state.learning,
    ids: { ids: [...state.ids.ids], seqs: [...state.ids.seqs] },
    offsets: Object.fromEntries(Object.entries(state.offsets).map(([name, { users }]) => [name, [...users]])),
    ...(state.clicks ? { clicks: { bits: state.clicks.bits } } : {}),
    baseVersion: online.baseVersion,
    base: online.base,
    optimizer: online.optimizer,
    arithmetic: online.arithmetic,
    rows: online.rows,
    users: [...state.histories.users],
  };
  return new Map([
    [FILE.facts, new TextEncoder().encode(JSON.stringify(facts))],
    [FILE.tensors, encodeSafetensors(tensors)],
  ]);
}

/** Writes what is served as a checkpoint into an existing (partial) directory. */
export async function writeServed(dir: string, served: ServedState): Promise<void> {
  const { base, learner, backend } = served;
  await writeCheckpoint(dir, {
    manifest: {
      stage: 'serve-online',
      model: { name: base.manifest.model.name, config: base.manifest.model.config },
      seed: served.seed,
      metrics: served.metrics,
      dataset: base.manifest.dataset,
      lineage: lineageOf(base),
      compute: {
        backend: backend.name,
        device: backend.device,
        threads: backend.threads,
        machine: machine(),
      },
    },
    config: served.config,
    tensors: learner.parameters,
    catalogue: served.catalogue,
    trainedEvents: served.trainedEvents,
    extra: onlineFiles({
      ...served,
      base: { model: served.baseId, data: served.data },
      optimizerState: learner.optimizer,
      introduced: learner.introduced,
    }),
  });
}
