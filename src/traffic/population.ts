import type { RecsysClient } from '../client/index.js';
import type { Dataset } from '../data/dataset.js';
import { RecsysError } from '../errors.js';
import type { Random } from '../random.js';

/** Who asks, and what events are sent. */
export interface Population {
  user(random: Random): string;
  event(random: Random): { readonly user: string; readonly item: string; readonly behaviour?: string };
}

const pick = <T>(random: Random, values: readonly T[]): T => values[random.int(values.length)]!;

/** Every user of a dataset alike; events as its rows have them, so popular items and active users come often. */
export function datasetPopulation({ catalogue, interactions: rows }: Dataset): Population {
  return {
    user: (random) => catalogue.users[1 + random.int(catalogue.users.length - 1)]!,
    event(random) {
      const row = random.int(rows.length);
      return {
        user: catalogue.users[rows.user[row]!]!,
        item: catalogue.items[rows.item[row]!]!,
        behaviour: catalogue.behaviours[rows.behaviour[row]!]!,
      };
    },
  };
}

const MADE_UP = 1000;
const ITEMS = 1000;

/**
 * The users given, or some that are made up, and the items that the service recommends to a user it does not know.
 * @throws RecsysError DATA_EMPTY where the service recommends nothing; what the client throws
 */
export async function servicePopulation(
  client: RecsysClient,
  given: readonly string[] | undefined,
  behaviour: string | undefined,
): Promise<Population> {
  const users = given ?? Array.from({ length: MADE_UP }, (_, n) => `load-test-${n}`);
  const { items } = await client.recommendations('load-test-items', { k: ITEMS, includeSeen: true });
  if (items.length === 0) throw new RecsysError('DATA_EMPTY', 'the service recommends no items');
  return {
    user: (random) => pick(random, users),
    event: (random) => ({
      user: pick(random, users),
      item: pick(random, items).item,
      ...(behaviour === undefined ? {} : { behaviour }),
    }),
  };
}
