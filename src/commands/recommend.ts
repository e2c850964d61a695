import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { selectBackend } from '../compute/select.js';
import type { Dataset } from '../data/dataset.js';
import { readDataset } from '../data/read.js';
import { RecsysError } from '../errors.js';
import { type HistoryCounts, readHistories } from '../evaluation/histories.js';
import { scorerFor } from '../evaluation/mapped.js';
import { type ListRequest, recommendLists } from '../evaluation/recommend.js';
import { type RecommendConfig, recommendSchema } from '../evaluation/schema.js';
import { type Checkpoint, readCheckpoint } from '../storage/checkpoint.js';
import { kindOf } from '../storage/disk.js';
import type { Catalogue, Scorer, StageContext } from '../types.js';
import { type ListRow, listFormat, refuseExisting, writeLists } from './list-files.js';
import { defineStage } from './stage.js';

export default defineStage({
  name: 'recommend',
  describe: 'write the best items of all or given users to CSV, JSONL or Parquet',
  schema: recommendSchema,
  flags: {
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
    k: { key: 'k', describe: 'items a user', type: 'number' },
    format: {
      key: 'format',
      describe: 'csv, jsonl or parquet; default: by the extension of --out',
      type: 'string',
    },
  },
  defaultOut: 'recommendations.csv',
  async run(run) {
    const { config, flags } = run;
    const started = performance.now();
    const out = flags.out!;
    await refuseExisting(out, flags.force);
    const checkpoint = await readCheckpoint(config.model);
    const source =
      config.histories === undefined
        ? await fromDataset(config, checkpoint, run)
        : fromHistories(config, checkpoint);
    await selectBackend(config.backend);
    const { restoreModel } = await import('../model/restore.js');
    const { modelScorer } = await import('../model/scorer.js');
    const model = modelScorer(restoreModel(checkpoint));
    try {
      const rows = listRows(source, source.fit(model), config, run);
      const count = await writeLists(out, rows, listFormat(out, config.format), flags.force);
      source.report(run);
      return {
        path: out,
        metrics: { users: source.done, rows: count },
        seconds: (performance.now() - started) / 1000,
      };
    } finally {
      model.dispose();
    }
  },
});

/** Whom to recommend to, and in which catalogue. */
interface Source {
  readonly catalogue: Catalogue;
  readonly candidates: Uint8Array;
  readonly requests: Iterable<ListRequest> | AsyncIterable<ListRequest>;
  /** Number of users, 0 where not known beforehand. */
  readonly total: number;
  done: number;
  fit(model: Scorer): Scorer;
  report(context: StageContext): void;
}

async function* listRows(
  source: Source,
  scorer: Scorer,
  config: RecommendConfig,
  context: StageContext,
): AsyncGenerator<ListRow> {
  const { catalogue, candidates } = source;
  const { k, batchSize, filterSeen } = config;
  const options = { k, batchSize, filterSeen, candidates, signal: context.signal };
  for await (const { user, items, scores } of recommendLists(scorer, source.requests, options)) {
    for (let i = 0; i < items.length; i++) {
      const item = items[i]!;
      yield {
        user,
        rank: i + 1,
        item: catalogue.items[item]!,
        title: catalogue.titles[item] ?? '',
        score: sixDigits(scores[i]!),
      };
    }
    source.done++;
    if (source.done % batchSize === 0 || source.done === source.total) {
      context.progress({ task: 'recommend', done: source.done, total: source.total });
    }
  }
}

/** The last digits of a float32 depend on how users were batched, and say nothing. */
function sixDigits(score: number): number {
  return Number(score.toPrecision(6));
}

/** Items of `catalogue` that the model knows and that may be recommended. */
function openItems(catalogue: Catalogue, model: Catalogue, candidates: 'train' | 'all'): Uint8Array {
  const known = new Set(model.items);
  return Uint8Array.from(catalogue.items, (id, item) =>
    item > 0 && known.has(id) && (candidates === 'all' || catalogue.itemCounts[item]! > 0) ? 1 : 0,
  );
}

async function fromDataset(
  config: RecommendConfig,
  checkpoint: Checkpoint,
  context: StageContext,
): Promise<Source> {
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
    candidates: openItems(catalogue, checkpoint.catalogue, config.candidates),
    requests: datasetRequests(dataset, users),
    total: users.length,
    done: 0,
    fit: (model) => scorerFor(model, checkpoint.catalogue, catalogue),
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
      ...(manifest.time === 'epoch' ? { times: rows.time.subarray(start, end) } : {}),
    };
    yield { user: catalogue.users[user]!, query };
  }
}

async function chosenUsers(
  config: RecommendConfig,
  dataset: Dataset,
  context: StageContext,
): Promise<number[]> {
  const ids = dataset.catalogue.users;
  const wanted = [
    ...(config.users ?? []),
    ...(config.usersFile === undefined ? [] : await readIds(config.usersFile)),
  ];
  if (config.users === undefined && config.usersFile === undefined) return Array.from(ids.keys()).slice(1);
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

function fromHistories(config: RecommendConfig, checkpoint: Checkpoint): Source {
  const file = config.histories!;
  const { catalogue } = checkpoint;
  const counts: HistoryCounts = { unknownItems: 0, unknownBehaviours: 0 };
  return {
    catalogue,
    candidates: openItems(catalogue, catalogue, config.candidates),
    requests: readHistories(linesOf(file), file, catalogue, counts),
    total: 0,
    done: 0,
    fit: (model) => model,
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

async function* linesOf(file: string): AsyncGenerator<string> {
  if ((await kindOf(file)) !== 'file') throw new RecsysError('FILE_MISSING', `there is no file ${file}`);
  yield* createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
}
