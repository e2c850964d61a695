import type { Dataset } from '../../data/dataset.js';
import {
  divideAtRandom,
  divideInTime,
  type Scenario,
  scenarioRows,
  supported,
  type Task,
} from '../../data/tasks.js';
import { RecsysError } from '../../errors.js';
import type { StageContext } from '../../types.js';
import { bootstrap, pairedDifference } from '../significance.js';
import type { ColdResults, ColdRow } from './results.js';
import type { ColdConfig, ColdTask, Support } from './schema.js';

/** What is compared: a baseline, an adapted model, or the same model with no event given. */
export interface ColdContender {
  readonly name: string;
  readonly kind: ColdRow['kind'];
  /** Metrics of the tasks of a scenario, one value a task. */
  measure(tasks: readonly Task[], scenario: Scenario): Promise<ReadonlyMap<string, Float32Array>>;
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
    const tasks = scenarioTasks(dataset, scenario, config, bootstrapping.seed);
    if (tasks.length === 0) {
      const { least, most, after = 0 } = config;
      const range = `${Math.max(least, after + 1)} to ${most}`;
      context.log('warn', `${nameOf(scenario)}: no user has ${range} rows there`);
      continue;
    }
    const rows: ColdRow[] = [];
    // Where no event is given, it is the same for every number of them.
    const unadapted: Values = new Map();
    for (const one of contenders.filter(({ kind }) => kind === 'unadapted'))
      unadapted.set(one.name, await one.measure(tasks.map(withoutSupport), scenario));
    for (const support of config.support) {
      const given = tasks.map((task) => supported(task, support));
      const measured = { tasks: given, scenario, support, unadapted };
      rows.push(...(await rowsOf(measured, contenders, config, bootstrapping, context)));
    }
    scenarios.push({ ...scenario, tasks: tasks.length, rows });
  }
  if (scenarios.length === 0)
    throw new RecsysError('DATA_EMPTY', `${dataset.path}: no scenario has a user with enough rows`, {
      remedy: 'Prepare the dataset with `split: { kind: cold }`, or lower `cold.least`.',
    });
  return scenarios;
}

/** The users of a scenario as tasks, with all that may be given as their support. */
export function scenarioTasks(
  dataset: Dataset,
  scenario: Scenario,
  { task, least, most, after, query }: Pick<ColdConfig, 'task' | 'least' | 'most' | 'after' | 'query'>,
  seed: number,
): Task[] {
  const enough = { least: Math.max(least, (after ?? 0) + 1), most };
  return scenarioRows(dataset, scenario, enough)
    .map((one) => (after === undefined ? divideAtRandom(one, query, seed) : divideInTime(one, after)))
    .flatMap((one) => answerable(dataset, one, task));
}

/**
 * The task without questions that have no answer (values that are not there) or a known one (items that might have been given are not
 * ranked); no task where no other is left.
 */
function answerable({ interactions: { item, value } }: Dataset, one: Task, task: ColdTask): Task[] {
  const known = new Set(Array.from(one.known, (r) => item[r]!));
  const query = one.query.filter((r) =>
    task === 'rating' ? !Number.isNaN(value[r]!) : !known.has(item[r]!),
  );
  return query.length > 0 ? [{ ...one, query }] : [];
}

/** Values of each contender, by metric, one a task. */
type Values = Map<string, ReadonlyMap<string, Float32Array>>;

interface Given {
  readonly tasks: readonly Task[];
  readonly scenario: Scenario;
  readonly support: Support;
  readonly unadapted: Values;
}

const withoutSupport = (task: Task): Task => ({ ...task, support: new Int32Array(0) });

async function rowsOf(
  { tasks, scenario, support, unadapted }: Given,
  contenders: readonly ColdContender[],
  { reference }: { readonly reference?: string | undefined },
  options: { readonly resamples: number; readonly seed: number },
  context: StageContext,
): Promise<ColdRow[]> {
  const values: Values = new Map();
  for (const contender of contenders) {
    const { name } = contender;
    if (context.signal.aborted) throw new RecsysError('INTERRUPTED', 'the evaluation was interrupted');
    values.set(name, unadapted.get(name) ?? (await contender.measure(tasks, scenario)));
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
