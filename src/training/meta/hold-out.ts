import { type Dataset, SPLIT } from '../../data/dataset.js';
import {
  divideAtRandom,
  divideInTime,
  scenarioRows,
  supported,
  type Task,
  type UserRows,
} from '../../data/tasks.js';
import { RecsysError } from '../../errors.js';
import { Random } from '../../random.js';
import type { MetaTrainConfig, TasksConfig } from './schema.js';

/** What training sees, and the tasks on which it is judged. */
export interface HeldOut {
  /** The dataset without the train rows of held-out users and items. */
  readonly dataset: Dataset;
  /** Users that are tasks to learn from. */
  readonly users: Int32Array;
  /** Held-out users on items that training sees. */
  readonly tasks: readonly Task[];
  /** The same users on items that it does not see. */
  readonly newItems: readonly Task[];
}

const EXISTING = { users: 'existing', items: 'existing' } as const;

/**
 * Keeps shares of the existing users and items from training, drawn by the seed.
 * Throws DATA_EMPTY where no user is left to be a task.
 */
export function holdOut(
  dataset: Dataset,
  judged: MetaTrainConfig['holdOut'],
  tasks: TasksConfig,
  seed: number,
): HeldOut {
  const { interactions, catalogue } = dataset;
  const every = { least: 1, most: Number.POSITIVE_INFINITY };
  const all = scenarioRows(dataset, EXISTING, every);
  const heldUsers = drawn(
    all.map(({ user }) => user),
    judged.users,
    Random.of(seed, 'held-out users'),
  );
  const trained = Array.from(catalogue.itemCounts.keys()).filter((item) => catalogue.itemCounts[item]! > 0);
  const heldItems = drawn(trained, judged.items, Random.of(seed, 'held-out items'));
  const split = interactions.split.map((part, r) => {
    const held = heldUsers.has(interactions.user[r]!) || heldItems.has(interactions.item[r]!);
    return part === SPLIT.train && held ? SPLIT.validation : part;
  });
  const itemCounts = catalogue.itemCounts.map((count, item) => (heldItems.has(item) ? 0 : count));
  const seen = {
    ...dataset,
    catalogue: { ...catalogue, itemCounts },
    interactions: { ...interactions, split },
  };
  const after = tasks.after ?? 0;
  const enough = Math.max(tasks.least, after + tasks.query);
  const learned = scenarioRows(seen, EXISTING, { least: enough, most: tasks.most });
  if (learned.length === 0) {
    const message = `${dataset.path}: no user has ${enough} to ${tasks.most} train rows`;
    throw new RecsysError('DATA_EMPTY', message, {
      remedy: 'Widen `tasks.least` and `tasks.most`, or hold out fewer users and items.',
    });
  }
  const asked = (items: boolean): Task[] =>
    all
      .filter(({ user }) => heldUsers.has(user))
      .map(({ user, rows }) => ({
        user,
        rows: rows.filter((r) => heldItems.has(interactions.item[r]!) === items),
      }))
      .filter(({ rows }) => rows.length >= Math.max(judged.least, after + 1) && rows.length <= judged.most)
      .map((one) => divided(one, judged.query, tasks, seed));
  return {
    dataset: seen,
    users: Int32Array.from(learned, ({ user }) => user),
    tasks: asked(false),
    newItems: asked(true),
  };
}

/** The task that a user always is: divided by the seed and the user's number, or in order of time. */
function divided(one: UserRows, query: number, { order, after }: TasksConfig, seed: number): Task {
  if (after !== undefined) return divideInTime(one, after);
  if (order === 'temporal') return divideInTime(one, one.rows.length - query);
  return supported(divideAtRandom(one, query, seed), 'all');
}

function drawn(all: readonly number[], share: number, random: Random): ReadonlySet<number> {
  return new Set(random.shuffle([...all]).slice(0, Math.round(share * all.length)));
}
