import { RecsysError } from '../errors.js';
import { hint } from '../nearest.js';
import { executePlan, type StageOutcome } from './pipeline/execute.js';
import { planPipeline } from './pipeline/plan.js';
import { type Pipeline, pipelineSchema } from './pipeline/schema.js';
import { readSettings } from './settings.js';
import { defineStage } from './stage.js';
import { version } from './version.js';

/** `recsys run pipeline.yaml`: the stages of a pipeline, in one process, skipping what is up to date. */
export default defineStage({
  name: 'run',
  describe: 'run a pipeline of stages, skipping what is up to date',
  schema: pipelineSchema,
  ownSets: true,
  resumes: true,
  flags: {
    only: { key: 'only', type: 'string', describe: 'run this stage alone' },
    from: { key: 'from', type: 'string', describe: 'run this stage and those after it again' },
  },
  positionals: [{ name: 'pipeline', key: '--config', describe: 'the pipeline, a YAML file', required: true }],
  async run(run) {
    const started = performance.now();
    const { config, flags, invocation } = run;
    const file = invocation.configFile;
    const out = flags.out ?? config.out;
    if (file === undefined) throw new RecsysError('USAGE', 'which pipeline? `recsys run pipeline.yaml`');
    if (out === undefined) throw new RecsysError('USAGE', 'the pipeline says no `out`; give --out');
    for (const id of [config.only, config.from]) checkId(id, config);
    const source = await readSettings(file, invocation.cwd);
    const plan = await planPipeline({ pipeline: config, source, invocation, file, out, seed: flags.seed });
    const choice = { version: version(), force: flags.force, only: config.only, from: config.from };
    const outcomes = await executePlan(plan, out, choice, run);
    return { path: out, seconds: (performance.now() - started) / 1000, ...summary(outcomes) };
  },
});

function checkId(id: string | undefined, pipeline: Pipeline): void {
  const ids = pipeline.stages.map((stage) => stage.id);
  if (id !== undefined && !ids.includes(id))
    throw new RecsysError('USAGE', `no stage "${id}" in the pipeline${hint(id, ids)}`);
}

interface Row {
  readonly name: string;
  readonly metrics: Readonly<Record<string, number>>;
}

/** The stages, and of the last comparison its rows and NDCG@10 by name. */
function summary(outcomes: readonly StageOutcome[]): Record<string, unknown> {
  const stages = outcomes.map(({ id, stage, skipped, result }) => ({
    id,
    stage,
    path: result.path,
    seconds: result.seconds,
    skipped,
    metrics: result.metrics,
  }));
  const rows = outcomes.map(({ result }) => rowsOf(result.rows)).findLast((found) => found.length > 0);
  if (rows === undefined) return { stages };
  const ndcg = Object.fromEntries(rows.map((row) => [row.name, row.metrics['ndcg@10']]));
  return { stages, rows, 'ndcg@10': ndcg };
}

function rowsOf(rows: unknown): Row[] {
  if (!Array.isArray(rows)) return [];
  return rows.filter(
    (row): row is Row =>
      typeof row?.name === 'string' && typeof row?.metrics === 'object' && row.metrics !== null,
  );
}
