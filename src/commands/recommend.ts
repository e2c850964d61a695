import { selectBackend } from '../compute/select.js';
import { RecsysError } from '../errors.js';
import { scorerFor } from '../evaluation/mapped.js';
import {
  type ListOptions,
  type RecommendedList,
  recommendFromStates,
  recommendLists,
} from '../evaluation/recommend.js';
import { type RecommendConfig, recommendSchema } from '../evaluation/schema.js';
import type { RestoredModel } from '../model/restore.js';
import { type Checkpoint, readCheckpoint, versionOf } from '../storage/checkpoint.js';
import type { Catalogue, Query, Scorer } from '../types.js';
import { HISTORY_FLAGS, historySource } from './histories.js';
import { LIST_COLUMNS, type ListRow, listFormat, refuseExisting, writeRows } from './list-files.js';
import { defineStage, type StageRun } from './stage.js';
import { readStates, type StateRow } from './state-files.js';

type Run = StageRun<RecommendConfig>;

export default defineStage({
  name: 'recommend',
  describe: 'write the best items of all or given users to CSV, JSONL or Parquet',
  schema: recommendSchema,
  flags: {
    ...HISTORY_FLAGS,
    states: {
      key: 'states',
      describe: 'file of user states that `recsys adapt` wrote, instead of histories',
      type: 'string',
    },
    behaviour: {
      key: 'behaviour',
      describe: 'list what comes next by this behaviour; default: by any',
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
    const format = listFormat(out, config.format);
    await refuseExisting(out, flags.force);
    const checkpoint = await readCheckpoint(config.model);
    await selectBackend(config.backend);
    const lists =
      config.states === undefined ? await ofHistories(run, checkpoint) : ofStates(run, checkpoint);
    let users = 0;
    const rows = async function* (): AsyncGenerator<ListRow> {
      for await (const list of lists.found) {
        yield* listRows(list, lists.catalogue);
        users++;
        if (users % config.batchSize === 0 || users === lists.total)
          run.progress({ task: 'recommend', done: users, total: lists.total });
      }
    };
    const count = await writeRows(out, rows(), LIST_COLUMNS, format, flags.force);
    lists.report();
    return {
      path: out,
      metrics: { users, rows: count },
      seconds: (performance.now() - started) / 1000,
    };
  },
});

/** Lists, the catalogue that their items are numbered in, and of how many users they are (0: not known beforehand). */
interface Lists {
  readonly found: AsyncIterable<RecommendedList>;
  readonly catalogue: Catalogue;
  readonly total: number;
  report(): void;
}

async function ofHistories(run: Run, checkpoint: Checkpoint): Promise<Lists> {
  const { config } = run;
  const source = await historySource(config, checkpoint, run);
  const options = {
    ...listOptions(run, source.catalogue, checkpoint.catalogue),
    ...{ batchSize: config.batchSize, filterSeen: config.filterSeen },
  };
  const { restoreModel } = await import('../model/restore.js');
  const { modelScorer } = await import('../model/scorer.js');
  const found = async function* (): AsyncGenerator<RecommendedList> {
    const restored = restoreModel(checkpoint);
    const asking = askingAbout(config.behaviour, restored);
    const model = modelScorer(restored);
    try {
      const scorer = asking(model, source.catalogue);
      yield* recommendLists(scorer, source.requests, options);
    } finally {
      model.dispose();
    }
  };
  return { ...source, found: found(), report: () => source.report(run) };
}

/**
 * A scorer in a dataset's numbers, of queries about one behaviour where it is named.
 * @throws CONFIG_INVALID for a model without heads, or a behaviour that it does not know
 */
function askingAbout(behaviour: string | undefined, { model, catalogue }: RestoredModel) {
  const asks = behaviour === undefined ? -1 : catalogue.behaviours.indexOf(behaviour);
  if (behaviour !== undefined && (!model.readsAsked || asks < 0)) {
    const why = model.readsAsked
      ? `the model knows no "${behaviour}" (it knows ${catalogue.behaviours.join(', ')})`
      : 'the model has no behaviour heads';
    throw new RecsysError('CONFIG_INVALID', `behaviour: ${why}`, {
      remedy: 'Leave it out, or train a model with `behaviourHeads` (`recsys finetune` adds them).',
    });
  }
  return (scorer: Scorer, dataset: Catalogue): Scorer => {
    if (asks < 0) return scorerFor(scorer, catalogue, dataset);
    const asking = (queries: readonly Query[]) => scorer.score(queries.map((query) => ({ ...query, asks })));
    return scorerFor({ ...scorer, score: asking }, catalogue, dataset);
  };
}

function ofStates(run: Run, checkpoint: Checkpoint): Lists {
  const { config } = run;
  const { catalogue } = checkpoint;
  const other = (['data', 'users', 'usersFile', 'histories', 'behaviour'] as const).find(
    (key) => config[key] !== undefined,
  );
  if (other !== undefined)
    throw new RecsysError(
      'USAGE',
      `states: say either \`states\` or \`${other}\`: states stand for histories, and for what comes next by any behaviour`,
    );
  const found = async function* (): AsyncGenerator<RecommendedList> {
    const { restoreModel } = await import('../model/restore.js');
    const { modelAdapter } = await import('../model/user-states.js');
    const restored = restoreModel(checkpoint);
    const adapter = modelAdapter(restored);
    try {
      const model = { name: versionOf(checkpoint), width: adapter.width };
      const requests = stateRequests(readStates(config.states!, model), config.batchSize);
      const of = { name: restored.model.name, items: catalogue.items.length - 1 };
      yield* recommendFromStates(adapter, of, requests, listOptions(run, catalogue, catalogue));
    } finally {
      adapter.dispose();
    }
  };
  return { found: found(), catalogue, total: 0, report: () => undefined };
}

async function* stateRequests(parts: AsyncIterable<readonly StateRow[]>, size: number) {
  for await (const rows of parts)
    for (let from = 0; from < rows.length; from += size)
      yield rows
        .slice(from, from + size)
        .map(({ user, state }) => ({ user, state: Float32Array.from(state) }));
}

/** Items that the model knows and that may be recommended, how many, and how to stop. */
function listOptions(
  { config, signal }: Run,
  catalogue: Catalogue,
  model: Catalogue,
): Omit<ListOptions, 'batchSize' | 'filterSeen'> {
  const known = new Set(model.items);
  const candidates = Uint8Array.from(catalogue.items, (id, item) =>
    item > 0 && known.has(id) && (config.candidates === 'all' || catalogue.itemCounts[item]! > 0) ? 1 : 0,
  );
  return { k: config.k, candidates, signal };
}

function* listRows({ user, items, scores }: RecommendedList, catalogue: Catalogue): Generator<ListRow> {
  for (const [i, item] of items.entries()) {
    yield {
      user,
      rank: i + 1,
      item: catalogue.items[item]!,
      title: catalogue.titles[item] ?? '',
      score: sixDigits(scores[i]!),
    };
  }
}

/** The last digits of a float32 depend on how users were batched, and say nothing. */
function sixDigits(score: number): number {
  return Number(score.toPrecision(6));
}
