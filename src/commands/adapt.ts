import { selectBackend } from '../compute/select.js';
import { RecsysError } from '../errors.js';
import { inBatches } from '../evaluation/batches.js';
import { queriesFor } from '../evaluation/mapped.js';
import type { ListRequest } from '../evaluation/recommend.js';
import { adaptSchema, STATE_FORMATS } from '../evaluation/schema.js';
import { userStates } from '../model/adaptation/basis.js';
import type { Adapter } from '../model/user-states.js';
import { readCheckpoint, versionOf } from '../storage/checkpoint.js';
import type { Query } from '../types.js';
import { HISTORY_FLAGS, historySource } from './histories.js';
import { formatOf, refuseExisting, writeRows } from './list-files.js';
import { defineStage } from './stage.js';
import { STATE_COLUMNS, type StateRow } from './state-files.js';

export default defineStage({
  name: 'adapt',
  describe: 'make each user’s events a state, a row of numbers, and write them to JSONL or Parquet',
  schema: adaptSchema,
  flags: {
    ...HISTORY_FLAGS,
    steps: { key: 'budget.steps', describe: 'gradient steps a user', type: 'number' },
    format: {
      key: 'format',
      describe: 'jsonl or parquet; default: by the extension of --out',
      type: 'string',
    },
  },
  defaultOut: 'states.jsonl',
  async run(run) {
    const { config, flags } = run;
    const started = performance.now();
    const out = flags.out!;
    const format = formatOf(out, config.format, STATE_FORMATS, 'states');
    await refuseExisting(out, flags.force);
    const checkpoint = await readCheckpoint(config.model);
    const source = await historySource(config, checkpoint, run);
    await selectBackend(config.backend);
    const { restoreModel } = await import('../model/restore.js');
    const { modelAdapter } = await import('../model/user-states.js');
    const { withinBudget } = await import('../model/adaptation/budget.js');
    const restored = await withinBudget(restoreModel(checkpoint), config.budget, run);
    const adapter = modelAdapter(restored);
    try {
      const translate = queriesFor(checkpoint.catalogue, source.catalogue);
      const options = {
        model: versionOf(checkpoint),
        batchSize: config.batchSize,
        translate,
      };
      let done = 0;
      const counted = async function* () {
        for await (const row of stateRows(adapter, source.requests, options, run.signal)) {
          yield row;
          done++;
          if (done % config.batchSize === 0 || done === source.total)
            run.progress({ task: 'adapt', done, total: source.total });
        }
      };
      const users = await writeRows(out, counted(), STATE_COLUMNS, format, flags.force);
      source.report(run);
      return {
        path: out,
        metrics: { users, width: adapter.width },
        seconds: (performance.now() - started) / 1000,
      };
    } finally {
      adapter.dispose();
    }
  },
});

interface StateOptions {
  readonly model: string;
  readonly batchSize: number;
  readonly translate: (query: Query) => Query;
}

async function* stateRows(
  adapter: Adapter,
  requests: Iterable<ListRequest> | AsyncIterable<ListRequest>,
  options: StateOptions,
  signal: AbortSignal,
): AsyncGenerator<StateRow> {
  for await (const batch of inBatches(requests, options.batchSize))
    yield* await rowsOf(adapter, batch, options, signal);
}

async function rowsOf(
  adapter: Adapter,
  batch: readonly ListRequest[],
  { model, translate }: StateOptions,
  signal: AbortSignal,
): Promise<StateRow[]> {
  if (signal.aborted) throw new RecsysError('INTERRUPTED', 'adapt was interrupted; nothing was written');
  const states = await userStates(
    adapter,
    batch.map(({ query }) => translate(query)),
  );
  return states.map(({ events, basis, state }, row) => {
    const { user } = batch[row]!;
    if (state.some((x) => !Number.isFinite(x)))
      throw new RecsysError('DIVERGED', `the state of "${user}" is not finite`);
    return { user, events, basis, model, state: Array.from(state) };
  });
}
