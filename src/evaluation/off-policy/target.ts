import { type Open, propensities } from '../../model/policy/choice.js';
import type { Policy } from '../../model/policy/schema.js';
import type { Catalogue, Query, Scorer } from '../../types.js';
import { inBatches } from '../batches.js';
import { catalogueIndex, type HistoryCounts, historyQuery } from '../histories.js';
import { UNKNOWN_SCORE } from '../mapped.js';
import { notANumber } from '../rank.js';
import { rewardsOf } from '../served-lists.js';
import { ItemMeans } from './direct.js';
import type { LoggedList, Step } from './estimators.js';
import type { ServedList } from './log.js';

export interface TargetOptions {
  readonly policy: Policy;
  /** Events that count as a success; none named: all. */
  readonly behaviours: readonly string[];
  readonly batchSize: number;
}

/**
 * Lists as a model with a policy sees them: how likely it is to have filled each place as it was filled, out of the same pool, given what stands above;
 * and what is expected of the place by the means of its items.
 *
 * @param counts what of histories and pools the model does not know
 * @throws RecsysError DIVERGED where the model's scores are not numbers
 */
export async function asTarget(
  lists: readonly ServedList[],
  scorer: Scorer,
  catalogue: Catalogue,
  { policy, behaviours, batchSize }: TargetOptions,
  counts: HistoryCounts,
): Promise<LoggedList[]> {
  const index = catalogueIndex(catalogue);
  const rewards = lists.map((list) => rewardsOf(list, behaviours));
  const means = new ItemMeans(
    lists.flatMap(({ user, items }, n) =>
      items.map(({ item }, place) => ({ user, item, place, reward: rewards[n]![place]! })),
    ),
  );
  const seen: LoggedList[] = [];
  for await (const batch of inBatches(lists, batchSize)) {
    const queries = batch.map(({ user, history, behaviour }): Query => {
      const asks = behaviour === undefined ? undefined : index.behaviours.get(behaviour);
      return { ...historyQuery(user, history, index, counts), ...(asks === undefined ? {} : { asks }) };
    });
    const scores = await scorer.score(queries);
    for (const [row, list] of batch.entries()) {
      const worth = list.pool.map((id) => {
        const item = index.items.get(id);
        if (item === undefined || item === 0) counts.unknownItems++;
        const score = item ? scores[row * (scorer.items + 1) + item]! : UNKNOWN_SCORE;
        if (Number.isNaN(score)) throw notANumber(scorer.name, item!);
        return { id, score, count: item ? catalogue.itemCounts[item]! : 0 };
      });
      seen.push({ user: list.user, steps: stepsOf(list, worth, rewards[seen.length]!, policy, means) });
    }
  }
  return seen;
}

interface PoolItem {
  readonly id: string;
  readonly score: number;
  readonly count: number;
}

function stepsOf(
  { user, items }: ServedList,
  pool: readonly PoolItem[],
  rewards: readonly number[],
  policy: Policy,
  means: ItemMeans,
): Step[] {
  // Equal scores: the one with the lower id, as good as any and always the same.
  let left = pool.toSorted((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1));
  return items.map(({ item, propensity: logged }, place) => {
    const open: Open = {
      worth: Float64Array.from(left, ({ score }) => score),
      counts: Float64Array.from(left, ({ count }) => count),
    };
    const likely = propensities(policy, open);
    let expectedOfTarget = 0;
    for (const [at, { id }] of left.entries())
      if (likely[at]! > 0) expectedOfTarget += likely[at]! * means.expected(user, id, place);
    const target = likely[left.findIndex(({ id }) => id === item)]!;
    left = left.filter(({ id }) => id !== item);
    return {
      logged,
      target,
      reward: rewards[place]!,
      expected: means.expected(user, item, place),
      expectedOfTarget,
    };
  });
}
