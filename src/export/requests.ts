import type { Dataset } from '../data/dataset.js';
import { RecsysError } from '../errors.js';
import { Random } from '../random.js';
import type { Catalogue, Query } from '../types.js';

/** Requests of random users, histories and behaviours; the first has no history and the second the longest. */
export function randomRequests(catalogue: Catalogue, length: number, count: number, seed: number): Query[] {
  const rng = Random.of(seed, 'export');
  return Array.from({ length: count }, (_, n) => {
    const events = n === 0 ? 0 : n === 1 ? length : rng.int(length + 1);
    return {
      user: rng.int(catalogue.users.length),
      items: Int32Array.from({ length: events }, () => 1 + rng.int(catalogue.items.length - 1)),
      behaviours: Uint8Array.from({ length: events }, () =>
        rng.int(Math.max(1, catalogue.behaviours.length)),
      ),
      // Apart by seconds to years.
      times: Float64Array.from({ length: events }, () => 1000 * Math.exp(18 * rng.uniform())).sort(),
      values: Float32Array.from({ length: events }, () => 1 + rng.int(5)),
      ...asking(catalogue, n),
    };
  });
}

/** The n-th request asks about each behaviour in turn, and about none. */
function asking({ behaviours }: Catalogue, n: number): Pick<Query, 'asks'> {
  const asks = n % (behaviours.length + 1);
  return asks < behaviours.length ? { asks } : {};
}

/**
 * Requests of users drawn from a dataset, as far as the model knows their items; fewer where there are not so many users.
 * @throws DATA_EMPTY where the model knows no item of any
 */
export function datasetRequests(
  dataset: Dataset,
  catalogue: Catalogue,
  length: number,
  count: number,
  seed: number,
): Query[] {
  const rng = Random.of(seed, 'export');
  const indexOf = (names: readonly string[]) => new Map(names.map((name, i) => [name, i]));
  const [users, items] = [indexOf(catalogue.users), indexOf(catalogue.items)];
  const behaviours = indexOf(catalogue.behaviours);
  const { interactions: rows } = dataset;
  const queries: Query[] = [];
  const order = Int32Array.from({ length: dataset.catalogue.users.length - 1 }, (_, i) => i + 1);
  rng.shuffle(order);
  for (const user of order) {
    if (queries.length === count) break;
    const events: { item: number; behaviour: number; time: number; value: number }[] = [];
    for (let row = rows.offsets[user]!; row < rows.offsets[user + 1]!; row++) {
      const item = items.get(dataset.catalogue.items[rows.item[row]!]!);
      const behaviour = behaviours.get(dataset.catalogue.behaviours[rows.behaviour[row]!]!) ?? 0;
      if (item) events.push({ item, behaviour, time: rows.time[row]!, value: rows.value[row]! });
    }
    const recent = events.slice(-length);
    if (recent.length === 0) continue;
    queries.push({
      user: users.get(dataset.catalogue.users[user]!) ?? 0,
      items: Int32Array.from(recent, ({ item }) => item),
      behaviours: Uint8Array.from(recent, ({ behaviour }) => behaviour),
      ...(dataset.manifest.time === 'epoch' ? { times: Float64Array.from(recent, ({ time }) => time) } : {}),
      values: Float32Array.from(recent, ({ value }) => value),
      ...asking(catalogue, queries.length),
    });
  }
  if (queries.length === 0)
    throw new RecsysError('DATA_EMPTY', `the model knows no item of any history in ${dataset.path}`, {
      remedy: 'Give a dataset of the same items, or leave --data out.',
    });
  return queries;
}
