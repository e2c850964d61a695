import type { Task } from '../../data/tasks.js';
import { bootstrap, pairedDifference } from '../significance.js';
import type { StrategyName } from './index.js';
import { answered, type Elicitation } from './strategy.js';
import { path, type Question } from './tree.js';

export interface Interviewed {
  readonly strategy: StrategyName | 'nothing asked' | 'everything asked';
  /** Mean number of questions that could be answered. */
  readonly answers: number;
  readonly metrics: Readonly<Record<string, { mean: number; low: number; high: number }>>;
  /** Less the popular questions, user by user. */
  readonly difference?: Readonly<Record<string, { mean: number; low: number; high: number }>>;
}

/**
 * New users are asked, answer what they know, and the model adapts to the answers: how well it then does on their query events,
 * for each way to ask, for none and for all they know.
 *
 * @param measure metrics of tasks, one value a task
 */
export async function interview(
  asked: ReadonlyMap<StrategyName, Question | undefined>,
  tasks: readonly Task[],
  { dataset }: Pick<Elicitation, 'dataset'>,
  measure: (tasks: readonly Task[]) => Promise<ReadonlyMap<string, Float32Array>>,
  options: { readonly resamples: number; readonly seed: number },
): Promise<Interviewed[]> {
  const { item, value } = dataset.interactions;
  const interviews = [
    { strategy: 'nothing asked' as const, tasks: tasks.map((task) => answered(task, new Set(), item)) },
    ...[...asked].map(([strategy, first]) => ({
      strategy,
      tasks: tasks.map((task) => answered(task, path(first, task, item, value), item)),
    })),
    {
      strategy: 'everything asked' as const,
      tasks: tasks.map((task) => ({ ...task, support: task.support.slice().sort() })),
    },
  ];
  const values: ((typeof interviews)[number] & { own: ReadonlyMap<string, Float32Array> })[] = [];
  for (const one of interviews) values.push({ ...one, own: await measure(one.tasks) });
  const popular = values.find(({ strategy }) => strategy === 'popular')?.own;
  return values.map(({ strategy, tasks: given, own }) => ({
    strategy,
    answers:
      given.reduce((sum, { support }) => sum + new Set(Array.from(support, (r) => item[r])).size, 0) /
      given.length,
    metrics: Object.fromEntries(bootstrap(own, options)),
    ...(popular && strategy !== 'popular'
      ? { difference: Object.fromEntries(pairedDifference(own, popular, options)) }
      : {}),
  }));
}
