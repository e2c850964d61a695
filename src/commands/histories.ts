/** Whose histories a command reads: users of a dataset, or the lines of a file. */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Dataset } from '../data/dataset.js';
import { readDataset } from '../data/read.js';
import { RecsysError } from '../errors.js';
import { type HistoryCounts, readHistories } from '../evaluation/histories.js';
import type { ListRequest } from '../evaluation/recommend.js';
import type { HistoriesConfig } from '../evaluation/schema.js';
import type { Checkpoint } from '../storage/checkpoint.js';
import { kindOf } from '../storage/disk.js';
import type { Catalogue, StageContext } from '../types.js';
import type { StageFlag } from './stage.js';

/** Flags of a command that reads a checkpoint and users' histories. */
export const HISTORY_FLAGS = {
  model: { key: 'model', describe: 'checkpoint directory', type: 'string', stdin: true },
  data: {
    key: 'data',
    describe: 'dataset that holds the users’ histories; default: the model’s own',
    type: 'string',
    stdin: true,
  },
  user: { key: 'users', describe: 'user id (may be repeated); default: every user', type: 'strings' },
  users: { key: 'usersFile', describe: 'text file with one user id a line', type: 'string' },
  histories: {
    key: 'histories',
    describe: 'JSONL file with one history a line, instead of a dataset',
    type: 'string',
  },
} as const satisfies Readonly<Record<string, StageFlag>>;

/** Users with their histories, in the numbers of a catalogue. */
export interface HistorySource {
  /** The dataset's, or the model's own. */
  readonly catalogue: Catalogue;
  readonly requests: Iterable<ListRequest> | AsyncIterable<ListRequest>;
  /** Number of users, 0 where not known beforehand. */
  readonly total: number;
  /** Says what was left out. */
  report(context: StageContext): void;
}

/**
 * The histories that the keys `data`, `users`, `usersFile` and `histories` ask for.
 * @throws USAGE where there is no dataset, DATA_EMPTY where none of the users is in it, FILE_MISSING, DATA_UNREADABLE
 */
export async function historySource(
  config: HistoriesConfig,
  checkpoint: Checkpoint,
  context: StageContext,
): Promise<HistorySource> {
  return config.histories === undefined
    ? fromDataset(config, checkpoint, context)
    : fromHistories(config.histories, checkpoint);
}

async function fromDataset(
  config: HistoriesConfig,
  checkpoint: Checkpoint,
  context: StageContext,
): Promise<HistorySource> {
  const path = config.data ?? checkpoint.manifest.dataset.path;
  if (config.data === undefined && (await kindOf(path)) !== 'directory') {
    throw new RecsysError('USAGE', `the dataset the model was trained on is not at ${path}`, {
      remedy: 'Say where the histories are: --data <dataset> or --histories <file.jsonl>.',
    });
  }
  const dataset = await readDataset(path);
  const { catalogue } = dataset;
  const users = await chosenUsers(config, dataset, context);
  return {
    catalogue,
    requests: datasetRequests(dataset, users),
    total: users.length,
    report: () => undefined,
  };
}

/** Every row of a user is history here: there is nothing to be held out. */
function* datasetRequests(dataset: Dataset, users: readonly number[]): Generator<ListRequest> {
  const { interactions: rows, catalogue, manifest } = dataset;
  for (const user of users) {
    const [start, end] = [rows.offsets[user]!, rows.offsets[user + 1]!];
    const query = {
      user,
      items: rows.item.subarray(start, end),
      behaviours: rows.behaviour.subarray(start, end),
      values: rows.value.subarray(start, end),
      ...(manifest.time === 'epoch' ? { times: rows.time.subarray(start, end) } : {}),
    };
    yield { user: catalogue.users[user]!, query };
  }
}

async function chosenUsers(
  config: HistoriesConfig,
  dataset: Dataset,
  context: StageContext,
): Promise<number[]> {
  const ids = dataset.catalogue.users;
  const wanted = [
    ...(config.users ?? []),
    ...(config.usersFile === undefined ? [] : await readIds(config.usersFile)),
  ];
  if (config.users === undefined && config.usersFile === undefined) return Array.from(ids.keys()).slice(1);
  if (wanted.length === 0) throw emptyFile(config.usersFile!, 'there is no user in it');
  const index = new Map(ids.map((id, i) => [id, i]));
  const known = wanted.flatMap((id) => index.get(id) ?? []).filter((user) => user > 0);
  const unknown = wanted.filter((id) => !index.get(id));
  const named = `${unknown.slice(0, 5).join(', ')}${unknown.length > 5 ? ' …' : ''}`;
  if (known.length === 0) {
    throw new RecsysError(
      'DATA_EMPTY',
      `none of the ${wanted.length} users is in ${dataset.path}: ${named}`,
      {
        remedy: 'Check the ids, or give these users’ histories with --histories.',
      },
    );
  }
  if (unknown.length > 0)
    context.log('warn', `${unknown.length} users are not in the dataset and left out: ${named}`);
  return known;
}

async function readIds(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new RecsysError('FILE_MISSING', `${file}: cannot be read`, { cause });
  });
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function fromHistories(file: string, checkpoint: Checkpoint): HistorySource {
  const { catalogue } = checkpoint;
  const counts: HistoryCounts = { unknownItems: 0, unknownBehaviours: 0 };
  return {
    catalogue,
    requests: someOf(readHistories(linesOf(file), file, catalogue, counts), file),
    total: 0,
    report: (context) => {
      if (counts.unknownItems > 0)
        context.log('warn', `${counts.unknownItems} events are on items the model does not know: left out`);
      if (counts.unknownBehaviours > 0) {
        context.log(
          'warn',
          `${counts.unknownBehaviours} events have a behaviour the model does not know: read as ${catalogue.behaviours[0]}`,
        );
      }
    },
  };
}

/** @throws DATA_EMPTY at the end of a file without a history */
async function* someOf(requests: AsyncIterable<ListRequest>, file: string): AsyncGenerator<ListRequest> {
  let some = false;
  for await (const request of requests) {
    some = true;
    yield request;
  }
  if (!some) throw emptyFile(file, 'there is no history in it');
}

export const emptyFile = (file: string, what: string): RecsysError =>
  new RecsysError('DATA_EMPTY', `${file}: ${what}`, { remedy: 'Give a file with one on each line.' });

export async function* linesOf(file: string): AsyncGenerator<string> {
  if ((await kindOf(file)) !== 'file') throw new RecsysError('FILE_MISSING', `there is no file ${file}`);
  yield* createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
}
