import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { selectBackend } from '../compute/select.js';
import { readDataset } from '../data/read.js';
import { queryOf } from '../data/tasks.js';
import { RecsysError } from '../errors.js';
import { evaluateCold, scenarioTasks } from '../evaluation/cold/evaluate.js';
import { COLD_FORMAT, type ColdResults } from '../evaluation/cold/results.js';
import type { ColdConfig } from '../evaluation/cold/schema.js';
import type { EvaluateConfig } from '../evaluation/schema.js';
import { adaptationTimes } from '../model/adaptation/adaptation-times.js';
import { withOutputDirectory } from '../storage/atomic.js';
import { openCold, RATERS, rankingContenders, ratingContenders, requireValues } from './cold-contenders.js';
import { coldReport, coldText, LEADING } from './cold-view.js';
import { openModels } from './open-models.js';
import type { StageResult, StageRun } from './stage.js';

/** `recsys evaluate --cold`: how well models and simple raters foretell what new users, and users of new items, will like. */
export async function evaluateColdStart(
  run: StageRun<EvaluateConfig>,
  cold: ColdConfig,
): Promise<StageResult> {
  const { flags } = run;
  const started = performance.now();
  const results = await withOutputDirectory(
    flags.out!,
    { force: flags.force, resume: false },
    async (partial) => {
      const found = await measure(run, cold, started);
      await writeFile(join(partial, 'results.json'), `${JSON.stringify(found, null, 2)}\n`);
      const { writeReport } = await import('../report/report.js');
      await writeReport(partial, coldReport(found));
      return found;
    },
  );
  return {
    path: flags.out!,
    metrics: flatMetrics(results),
    seconds: results.seconds,
    scenarios: results.scenarios,
    adaptation: results.adaptation,
    text: `${coldText(results)}\n\n${flags.out!}`,
  };
}

async function measure(
  run: StageRun<EvaluateConfig>,
  cold: ColdConfig,
  started: number,
): Promise<ColdResults> {
  const { config } = run;
  const checkpoints = await openModels(config);
  const dataset = await readDataset(config.data);
  requireValues(dataset, cold.task, 'cold.task');
  const simple = cold.task === 'rating' ? Object.keys(RATERS) : config.baselines;
  const names = [...simple, ...checkpoints.map(({ name }) => name)];
  if (config.reference !== undefined && !names.includes(config.reference))
    throw new RecsysError(
      'CONFIG_INVALID',
      `reference: "${config.reference}" is no row (${names.join(', ')})`,
    );
  if (checkpoints.length > 0) await selectBackend(config.backend);
  const models = await Promise.all(checkpoints.map((one) => openCold(one, dataset, cold.task, run)));
  try {
    const contenders =
      cold.task === 'rating'
        ? ratingContenders(dataset, models)
        : await rankingContenders(dataset, models, config, run);
    const bootstrapping = { resamples: config.bootstrap.resamples, seed: config.seed };
    const settings = { ...cold, reference: config.reference };
    const scenarios = await evaluateCold(dataset, contenders, settings, bootstrapping, run);
    const timed = scenarioTasks(dataset, scenarios[0]!, cold, config.seed)
      .slice(0, config.latencyQueries)
      .map(({ user, support }) => queryOf(dataset, user, support.slice().sort()));
    const adaptation: ColdResults['adaptation'] = [];
    for (const { name, adapter } of models)
      if (timed.length > 0) adaptation.push({ name, ...(await adaptationTimes(adapter, timed)) });
    const { published, scenarios: _, enabled: __, ...protocol } = cold;
    const { fingerprint, name } = dataset.manifest;
    return {
      kind: 'cold-start',
      formatVersion: COLD_FORMAT,
      dataset: { path: dataset.path, name, fingerprint },
      protocol,
      seed: config.seed,
      scenarios,
      ...(config.reference === undefined ? {} : { reference: config.reference }),
      adaptation,
      published,
      seconds: (performance.now() - started) / 1000,
    };
  } finally {
    for (const one of models) one.dispose();
  }
}

/** `items/users/row[/support]/metric` → mean. */
function flatMetrics({ scenarios, protocol: { task } }: ColdResults): Record<string, number> {
  return Object.fromEntries(
    scenarios.flatMap(({ users, items, rows }) =>
      rows.flatMap(({ name, support, metrics }) =>
        LEADING[task].map(({ name: metric }) => [
          `${items} items/${users} users/${name}/${support}/${metric}`,
          metrics[metric]!.mean,
        ]),
      ),
    ),
  );
}
