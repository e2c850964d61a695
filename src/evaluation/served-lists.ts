import { z } from 'zod';
import { RecsysError } from '../errors.js';

export const loggedEvent = z.object({
  item: z.string(),
  behaviour: z.string().optional(),
  time: z.number().optional(),
  value: z.number().optional(),
});

/** What is read of every list that was served: to whom, and what came of it. */
export const servedFields = {
  user: z.string().optional(),
  items: z.array(z.object({ item: z.string() })),
  events: z.array(loggedEvent).default([]),
};

/** What `recsys impressions` writes, each list with its file and line. @throws RecsysError DATA_UNREADABLE naming these */
export async function* servedLists<T extends z.ZodType>(
  row: T,
  lines: AsyncIterable<string>,
  where: string,
): AsyncGenerator<{ readonly at: string; readonly list: z.output<T> }> {
  let number = 0;
  for await (const line of lines) {
    number++;
    const at = `${where}:${number}`;
    if (line.trim() !== '') yield { at, list: parsedLine(row, line, at) };
  }
}

function parsedLine<T extends z.ZodType>(row: T, line: string, at: string): z.output<T> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new RecsysError('DATA_UNREADABLE', `${at}: not JSON: ${line.slice(0, 80)}`, { cause });
  }
  const found = row.safeParse(value);
  if (found.success) return found.data;
  const [issue] = found.error.issues;
  throw new RecsysError(
    'DATA_UNREADABLE',
    `${at}: ${issue!.path.join('.')} is not as \`recsys impressions\` writes it`,
  );
}

/** 1 for each item of a list on which a success came, else 0. @param behaviours events that count; none named: all */
export function rewardsOf(
  {
    items,
    events,
  }: {
    readonly items: readonly { readonly item: string }[];
    readonly events: readonly z.output<typeof loggedEvent>[];
  },
  behaviours: readonly string[],
): number[] {
  const counts = ({ behaviour }: z.output<typeof loggedEvent>): boolean =>
    behaviours.length === 0 || (behaviour !== undefined && behaviours.includes(behaviour));
  const chosen = new Set(events.filter(counts).map(({ item }) => item));
  return items.map(({ item }) => (chosen.has(item) ? 1 : 0));
}
