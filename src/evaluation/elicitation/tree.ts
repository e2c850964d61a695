import type * as data from '../../data/questions.js';
import { ANSWERS, type Answer, answerOf, way } from '../../data/questions.js';
import type { Task } from '../../data/tasks.js';
import { gains } from './gain.js';
import { best, type Elicitation } from './strategy.js';

/** Questions about items by their numbers. */
export type Question = data.Question<number>;

/** Candidates that are tried below the first question. */
const KEPT = 60;
/** The gain above counts at a question as that of so many users: few users say little by themselves. */
const PRIOR = 100;

/**
 * Questions that depend on the answers before (Golbandi, Koren & Lempel 2011): at each node the candidate that lowers the loss most for
 * those existing users who would have come to it.
 */
export async function tree(given: Elicitation): Promise<Question | undefined> {
  const { dataset, candidates, count, users } = given;
  const { item, value } = dataset.interactions;
  const means = candidates.map((candidate) => meanValue(users, item, value, candidate));
  const thresholds = new Map(candidates.map((candidate, c) => [candidate, means[c]!]));
  const at = async (
    here: readonly Task[],
    open: readonly number[],
    chosen: ReadonlySet<number>,
    above: ReadonlyMap<number, number>,
  ): Promise<Question | undefined> => {
    if (chosen.size >= count || open.length === 0) return undefined;
    // Where no user comes there is nothing to tell answers apart by.
    if (here.length === 0) {
      const scores = open.map((one) => above.get(one) ?? 0);
      return chain(best(open, scores, count - chosen.size));
    }
    const sums = await gains({ ...given, users: here }, open, chosen);
    const mean = new Map(
      open.map((one, c) => [one, (sums[c]! + PRIOR * (above.get(one) ?? 0)) / (here.length + PRIOR)]),
    );
    const kept = best(
      open,
      open.map((one) => mean.get(one)!),
      KEPT,
    );
    const asked = kept[0]!;
    const threshold = thresholds.get(asked)!;
    const parts: Record<Answer, Task[]> = { unknown: [], low: [], high: [] };
    for (const task of here) {
      const row = latest(task, item, asked);
      parts[answerOf(row === undefined ? undefined : value[row]!, threshold)].push(task);
    }
    const next: Partial<Record<Answer, Question>> = {};
    const rest = kept.slice(1);
    for (const answer of ANSWERS) {
      const following = await at(parts[answer], rest, new Set([...chosen, asked]), mean);
      if (following) next[answer] = following;
    }
    return { item: asked, threshold, next };
  };
  return at(users, candidates, new Set(), new Map());
}

/** The last row of a user's events with an item: rows of a user are in order of time. */
function latest({ support }: Task, item: Int32Array, of: number): number | undefined {
  return support.reduce<number | undefined>(
    (last, r) => (item[r] === of && (last === undefined || r > last) ? r : last),
    undefined,
  );
}

/** The items that a user is asked about, one after the other. */
export function path(
  root: Question | undefined,
  task: Task,
  item: Int32Array,
  value: Float32Array,
): Set<number> {
  return new Set(
    way(root, (about) => {
      const row = latest(task, item, about);
      return row === undefined ? undefined : value[row]!;
    }),
  );
}

/** A list as a tree: the next question is the same, whatever the answer. */
export function chain(items: readonly number[]): Question | undefined {
  return items.reduceRight<Question | undefined>(
    (following, item) => ({
      item,
      threshold: 0,
      next: following ? { unknown: following, low: following, high: following } : {},
    }),
    undefined,
  );
}

function meanValue(users: readonly Task[], item: Int32Array, value: Float32Array, of: number): number {
  let sum = 0;
  let count = 0;
  for (const { support } of users)
    for (const row of support)
      if (item[row] === of && !Number.isNaN(value[row]!)) {
        sum += value[row]!;
        count++;
      }
  return count === 0 ? 0 : sum / count;
}
