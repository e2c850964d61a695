import { Random } from '../random.js';
import type { Query } from '../types.js';
import { type Dataset, SPLIT } from './dataset.js';

/** Existing users and items have train rows; new ones have none. */
export const GROUPS = ['existing', 'new'] as const;
export type Group = (typeof GROUPS)[number];

/** Which users meet which items: the four scenarios of cold start. */
export interface Scenario {
  readonly users: Group;
  readonly items: Group;
}

/** The rows of one user inside a scenario, oldest first, as numbers of the dataset's interactions. */
export interface UserRows {
  readonly user: number;
  readonly rows: Int32Array;
}

/** A user as a task: the events that are given to adapt to, and those that are asked about. */
export interface Task {
  readonly user: number;
  readonly support: Int32Array;
  readonly query: Int32Array;
  /** Every row that may be given, of which `support` are: their items are no answers. */
  readonly known: Int32Array;
}

/** 1 for every user, and every item, that has a train row. */
export function existing({ interactions, catalogue }: Dataset): { users: Uint8Array; items: Uint8Array } {
  const users = new Uint8Array(catalogue.users.length);
  const items = new Uint8Array(catalogue.items.length);
  for (let r = 0; r < interactions.length; r++) {
    if (interactions.split[r] !== SPLIT.train) continue;
    users[interactions.user[r]!] = 1;
    items[interactions.item[r]!] = 1;
  }
  return { users, items };
}

/**
 * The rows of each user of a scenario on its items, of users with `least` to `most` of them: train rows where both exist, else test
 * rows.
 */
export function scenarioRows(
  dataset: Dataset,
  scenario: Scenario,
  { least, most }: { readonly least: number; readonly most: number },
): UserRows[] {
  const { interactions: rows, catalogue } = dataset;
  const known = existing(dataset);
  const part = scenario.users === 'existing' && scenario.items === 'existing' ? SPLIT.train : SPLIT.test;
  const wanted = (flag: number | undefined, group: Group): boolean => (flag === 1) === (group === 'existing');
  const found: UserRows[] = [];
  for (let user = 1; user < catalogue.users.length; user++) {
    if (!wanted(known.users[user], scenario.users)) continue;
    const own: number[] = [];
    for (let r = rows.offsets[user]!; r < rows.offsets[user + 1]!; r++)
      if (rows.split[r] === part && wanted(known.items[rows.item[r]!], scenario.items)) own.push(r);
    if (own.length >= least && own.length <= most) found.push({ user, rows: Int32Array.from(own) });
  }
  return found;
}

/** What a model is told of a user whose events are these rows. */
export function queryOf({ interactions }: Dataset, user: number, rows: Int32Array): Query {
  return {
    user,
    items: Int32Array.from(rows, (r) => interactions.item[r]!),
    behaviours: Uint8Array.from(rows, (r) => interactions.behaviour[r]!),
    times: Float64Array.from(rows, (r) => interactions.time[r]!),
    values: Float32Array.from(rows, (r) => interactions.value[r]!),
  };
}

/** A user's rows as a task: `query` of them at random, by the seed and the user's number; the rest, in random order, is the support. */
export function divideAtRandom({ user, rows }: UserRows, query: number, seed: number): Task {
  const shuffled = Random.of(seed, 'task', user).shuffle(Int32Array.from(rows));
  return taskOf(user, shuffled.slice(query), shuffled.slice(0, query));
}

/** A user's rows as a task: the first `after` are the support, all later ones are asked about. */
export function divideInTime({ user, rows }: UserRows, after: number): Task {
  return taskOf(user, rows.slice(0, after), rows.slice(after));
}

const taskOf = (user: number, support: Int32Array, query: Int32Array): Task => ({
  ...{ user, support, query },
  known: support,
});

/** The task with the first `count` rows of its support, in order of time. */
export function supported(task: Task, count: number | 'all'): Task {
  const given = count === 'all' ? task.support.slice() : task.support.slice(0, count);
  return { ...task, support: given.sort() };
}
