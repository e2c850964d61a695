import type { Dataset } from '../../data/dataset.js';
import { divideAtRandom, type Scenario, scenarioRows, supported, type Task } from '../../data/tasks.js';
import { RecsysError } from '../../errors.js';
import type { StageContext } from '../../types.js';
import { bootstrap, pairedDifference } from '../significance.js';
import { type RateTasks, ratingValues } from './rating.js';
import type { ColdResults, ColdRow } from './results.js';
import type { ColdConfig, Support } from './schema.js';

/** What is compared: a baseline, an adapted model, or the same model with no event given. */
export interface ColdContender {
  readonly name: string;
  readonly kind: ColdRow['kind'];
  readonly rate: RateTasks;
}

/**
 * Every scenario, every number of given events, every contender.
 * Throws DATA_EMPTY where no scenario that is asked for has a user in it.
 */
export async function evaluateCold(
  dataset: Dataset,
  contenders: readonly ColdContender[],
  config: ColdConfig & { readonly reference?: string | undefined },
  bootstrapping: { readonly resamples: number; readonly seed: number },
  context: StageContext,
): Promise<ColdResults['scenarios']> {
  const scenarios: ColdResults['scenarios'] = [];
  for (const scenario of config.scenarios) {
    const tasks = scenarioRows(dataset, scenario, config).map((one) =>
      divideAtRandom(one, config.query, bootstrapping.seed),
    );
    if (tasks.length === 0) {
      context.log('warn', `${nameOf(scenario)}: no user has ${config.least} to ${config.most} rows there`);
      continue;
    }
    const rows: ColdRow[] = [];
    // Where no event is given, it is the same for every number of them.
    const unadapted: Values = new Map();
    for (const { name, rate } of contenders.filter(({ kind }) => kind === 'unadapted'))
      unadapted.set(name, await ratingValues(rate, dataset, tasks.map(withoutSupport)));
    for (const support of config.support) {
      const given = tasks.map((task) => supported(task, support));
      const measured = { tasks: given, support, unadapted };
      rows.push(...(await rowsOf(dataset, measured, contenders, config, bootstrapping, context)));
    }
    scenarios.push({ ...scenario, tasks: tasks.length, rows });
  }
  if (scenarios.length === 0)
    throw new RecsysError('DATA_EMPTY', `${dataset.path}: no scenario has a user with enough rows`, {
      remedy: 'Prepare the dataset with `split: { kind: cold }`, or lower `cold.least`.',
    });
  return scenarios;
}

/** Values of each contender, by metric, one a task. */
type Values = Map<string, Map<string, Float32Array>>;

const withoutSupport = (task: Task): Task => ({ ...task, support: new Int32Array(0) });

async function rowsOf(
  dataset: Dataset,
  { tasks, support, unadapted }: { tasks: readonly Task[]; support: Support; unadapted: Values },
  contenders: readonly ColdContender[],
  { reference }: { readonly reference?: string | undefined },
  options: { readonly resamples: number; readonly seed: number },
  context: StageContext,
): Promise<ColdRow[]> {
  const values: Values = new Map();
  for (const { name, rate } of contenders) {
    if (context.signal.aborted) throw new RecsysError('INTERRUPTED', 'the evaluation was interrupted');
    values.set(name, unadapted.get(name) ?? (await ratingValues(rate, dataset, tasks)));
    context.progress({ task: `evaluate ${name}`, done: values.size, total: contenders.length });
  }
  const against = reference === undefined ? undefined : values.get(reference);
  return contenders.map(({ name, kind }): ColdRow => {
    const own = values.get(name)!;
    return {
      ...{ name, kind, support },
      metrics: Object.fromEntries(bootstrap(own, options)),
      ...(against && name !== reference
        ? { difference: Object.fromEntries(pairedDifference(own, against, options)) }
        : {}),
    };
  });
}

export const nameOf = ({ users, items }: Scenario): string => `${items} items, ${users} users`;
