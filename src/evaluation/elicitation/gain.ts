import type { Task } from '../../data/tasks.js';
import { answered, best, type Elicitation, type Strategy } from './strategy.js';

/** Candidates that are tried again after the first question: those that would have helped most as the first. */
const KEPT = 40;

/**
 * The questions that help most, one after the other: each is the candidate that lowers the mean loss of existing users most, who answer
 * it if they can and were asked the ones before (greedy expected gain).
 */
export const gain: Strategy = async (given) => {
  const { candidates, count } = given;
  const first = await gains(given, candidates, new Set());
  const kept = best(candidates, first, Math.max(KEPT, 2 * count));
  const chosen = new Set<number>(kept.slice(0, Math.min(1, count)));
  while (chosen.size < Math.min(count, kept.length)) {
    const left = kept.filter((item) => !chosen.has(item));
    const [next] = best(left, await gains(given, left, chosen), 1);
    chosen.add(next!);
  }
  return [...chosen];
};

/** By how much each candidate, asked after those chosen, lowers the loss of all users together. */
export async function gains(
  { dataset, users, loss }: Elicitation,
  candidates: readonly number[],
  chosen: ReadonlySet<number>,
): Promise<Float64Array> {
  const { item } = dataset.interactions;
  const now = await loss(users.map((task) => answered(task, chosen, item)));
  const sums = new Float64Array(candidates.length);
  for (const [c, candidate] of candidates.entries()) {
    // Nothing changes for a user who does not know the item.
    const asked = new Set([...chosen, candidate]);
    const able: { readonly task: Task; readonly before: number }[] = [];
    users.forEach((task, u) => {
      if (task.support.some((row) => item[row] === candidate))
        able.push({ task: answered(task, asked, item), before: now[u]! });
    });
    if (able.length === 0) continue;
    const then = await loss(able.map(({ task }) => task));
    able.forEach(({ before }, n) => {
      sums[c]! += before - then[n]!;
    });
  }
  return sums;
}
