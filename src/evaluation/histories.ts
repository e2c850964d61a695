import { z } from 'zod';
import { RecsysError } from '../errors.js';
import type { Catalogue, Query } from '../types.js';
import type { ListRequest } from './recommend.js';

const id = z.union([z.string().min(1), z.number().int().transform(String)]);
const eventSchema = z.object({
  item: id,
  behaviour: z.string().optional(),
  /** Milliseconds since the epoch, or ISO 8601. */
  time: z
    .union([z.number(), z.iso.datetime({ offset: true }).transform((text) => Date.parse(text))])
    .optional(),
  /** Rating, play count. */
  value: z.number().optional(),
});
const historySchema = z.union([
  z.strictObject({ user: id, items: z.array(id) }),
  z.strictObject({ user: id, events: z.array(eventSchema) }),
]);

/** What of the histories the catalogue does not know. */
export interface HistoryCounts {
  unknownItems: number;
  unknownBehaviours: number;
}

/**
 * Histories from JSON lines, one user each, oldest event first. Events on unknown items are left out and counted; an
 * unknown user has index 0; an unknown behaviour counts as the first. Times are given for all events of a history or for none.
 *
 * @param where the file, as messages name it
 * @throws DATA_UNREADABLE naming file and line
 */
export async function* readHistories(
  lines: AsyncIterable<string>,
  where: string,
  catalogue: Catalogue,
  counts: HistoryCounts,
): AsyncGenerator<ListRequest> {
  const index = catalogueIndex(catalogue);
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line.trim() === '') continue;
    const { user, events } = parseHistory(line, `${where}:${number}`);
    yield { user, query: historyQuery(user, events, index, counts) };
  }
}

/** Where ids stand in a catalogue. */
export interface CatalogueIndex {
  readonly users: ReadonlyMap<string, number>;
  readonly items: ReadonlyMap<string, number>;
  readonly behaviours: ReadonlyMap<string, number>;
}

export function catalogueIndex({ users, items, behaviours }: Catalogue): CatalogueIndex {
  const places = (names: readonly string[]) => new Map(names.map((name, i) => [name, i]));
  return { users: places(users), items: places(items), behaviours: places(behaviours) };
}

/** An event of a history, by ids. */
export type HistoryEvent = z.output<typeof eventSchema>;

/** A history in a catalogue's indices; events on unknown items are left out and counted. */
export function historyQuery(
  user: string,
  events: readonly HistoryEvent[],
  { users, items, behaviours }: CatalogueIndex,
  counts: HistoryCounts,
): Query {
  const history = {
    items: [] as number[],
    behaviours: [] as number[],
    times: [] as number[],
    values: [] as number[],
  };
  const timed = events.every((event) => event.time !== undefined);
  for (const event of events) {
    const item = items.get(event.item);
    const behaviour = event.behaviour === undefined ? 0 : behaviours.get(event.behaviour);
    if (item === undefined || item === 0) {
      counts.unknownItems++;
      continue;
    }
    if (behaviour === undefined) counts.unknownBehaviours++;
    history.items.push(item);
    history.behaviours.push(behaviour ?? 0);
    if (timed) history.times.push(event.time!);
    history.values.push(event.value ?? Number.NaN);
  }
  return {
    user: users.get(user) ?? 0,
    items: Int32Array.from(history.items),
    behaviours: Uint8Array.from(history.behaviours),
    ...(timed ? { times: Float64Array.from(history.times) } : {}),
    values: Float32Array.from(history.values),
  };
}

function parseHistory(
  line: string,
  where: string,
): {
  user: string;
  events: readonly HistoryEvent[];
} {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new RecsysError('DATA_UNREADABLE', `${where}: not JSON: ${line.slice(0, 80)}`, { cause });
  }
  const parsed = historySchema.safeParse(value);
  if (!parsed.success) {
    throw new RecsysError(
      'DATA_UNREADABLE',
      `${where}: expected {"user": id, "items": [id, …]} or {"user": id, "events": [{"item": id, "behaviour": name, "time": milliseconds or ISO 8601, "value": number}, …]}`,
    );
  }
  const { data } = parsed;
  if ('events' in data && new Set(data.events.map((event) => event.time === undefined)).size > 1)
    throw new RecsysError('DATA_UNREADABLE', `${where}: some of the events have a time, and some have none`);
  return { user: data.user, events: 'items' in data ? data.items.map((item) => ({ item })) : data.events };
}
