import type { Dataset } from '../../data/dataset.js';
import type { Task } from '../../data/tasks.js';
import type { Adapter } from '../../model/user-states.js';
import type { Random } from '../../random.js';

/** What a strategy chooses questions by. */
export interface Elicitation {
  readonly dataset: Dataset;
  /** Items that may be asked about, the most popular first. */
  readonly candidates: readonly number[];
  readonly count: number;
  readonly random: Random;
  /** Existing users as tasks: the support holds what each could answer. */
  readonly users: readonly Task[];
  readonly adapter: Adapter;
  /** How well the model does on each task's query after its support; lower is better. */
  loss(tasks: readonly Task[]): Promise<Float32Array>;
}

/** Chooses `count` of the candidates to ask a new user about, the first question first. */
export type Strategy = (given: Elicitation) => Promise<number[]>;

/** The candidates with the highest scores, best first; equal ones keep their order. */
export function best(candidates: readonly number[], scores: ArrayLike<number>, count: number): number[] {
  const order = candidates.map((_, c) => c).sort((a, b) => scores[b]! - scores[a]! || a - b);
  return order.slice(0, count).map((c) => candidates[c]!);
}

/** A user's task when so many questions were asked: the support is what they can answer. */
export function answered(task: Task, questions: ReadonlySet<number>, item: Int32Array): Task {
  return { ...task, support: task.support.filter((row) => questions.has(item[row]!)).sort() };
}
