import { z } from 'zod';
import { RecsysError } from '../../errors.js';
import { loggedEvent, servedFields, servedLists } from '../served-lists.js';

const row = z.object({
  ...servedFields,
  requestId: z.string(),
  behaviour: z.string().optional(),
  items: z.array(z.object({ item: z.string(), propensity: z.unknown().optional() })),
  pool: z.array(z.string()).optional(),
  history: z.array(loggedEvent).default([]),
  fallbackReason: z.string().optional(),
  estimated: z.boolean().default(false),
  reranked: z.boolean().default(false),
});

/** A list that was served, and what came of it. */
export interface ServedList extends Omit<z.output<typeof row>, 'items' | 'pool'> {
  readonly user: string;
  readonly items: readonly { readonly item: string; readonly propensity: number }[];
  /** Items that the places could go to. */
  readonly pool: readonly string[];
}

/** What was taken all the same, and what was left out. */
export interface LogCounts {
  /** Lists that no scores of a model decided. */
  fallbacks: number;
}

/**
 * Lists from JSON lines, those left out that a fallback made. Who has no user is one of their own.
 * @param allow what is taken besides lists of exact propensities that nothing reordered
 * @throws RecsysError DATA_UNREADABLE, PROPENSITIES_INVALID naming file and line
 */
export async function* readServedLists(
  lines: AsyncIterable<string>,
  where: string,
  allow: readonly ('estimated' | 'reranked')[],
  counts: LogCounts,
): AsyncGenerator<ServedList> {
  for await (const { at, list } of servedLists(row, lines, where)) {
    if (list.fallbackReason !== undefined) {
      counts.fallbacks++;
      continue;
    }
    // Where everything was seen or barred: no policy would have shown anything else.
    if (list.items.length === 0) continue;
    for (const mark of ['estimated', 'reranked'] as const)
      if (list[mark] && !allow.includes(mark)) throw marked(at, mark);
    const items = list.items.map(({ item, propensity }, i) => ({
      item,
      propensity: checked(propensity, `${at}: items.${i}.propensity`),
    }));
    const pool = list.pool ?? items.map(({ item }) => item);
    const known = new Set(pool);
    const stray = items.find(
      ({ item }, i) => !known.has(item) || items.findIndex((o) => o.item === item) !== i,
    );
    if (stray)
      throw new RecsysError(
        'DATA_UNREADABLE',
        `${at}: ${stray.item} is in the list twice, or not in the pool that it was filled from`,
      );
    yield { ...list, user: list.user ?? `request ${list.requestId}`, items, pool };
  }
}

function checked(propensity: unknown, where: string): number {
  if (typeof propensity === 'number' && propensity > 0 && propensity <= 1) return propensity;
  const found = propensity === undefined ? 'is missing' : `is ${JSON.stringify(propensity)}`;
  throw new RecsysError(
    'PROPENSITIES_INVALID',
    `${where} ${found}, where a probability above 0 and up to 1 must be`,
  );
}

function marked(at: string, mark: 'estimated' | 'reranked'): RecsysError {
  const what = {
    estimated: 'propensities that are marked as estimated',
    reranked: 'a list that caps or diversity had a part in: they are no part of the policy that is estimated',
  }[mark];
  return new RecsysError('PROPENSITIES_INVALID', `${at}: ${what}`, {
    remedy: `Take such lists all the same with --allow ${mark}.`,
  });
}
