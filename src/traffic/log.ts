import { createHash } from 'node:crypto';
import { parsedJson } from '../client/error.js';
import type { Event } from '../client/index.js';
import { timeOf } from '../data/ingest.js';
import { formatOf, readers } from '../data/readers/index.js';
import type { RawValue } from '../data/readers/reader.js';
import { resolveSources, type SourceFile } from '../data/readers/source.js';
import type { ColumnRef } from '../data/source-schema.js';
import { timeParser } from '../data/time.js';
import { id, optionalNumber, Refusal, text } from '../data/values.js';
import { RecsysError } from '../errors.js';
import { eventSchema } from '../protocol/events.js';
import type { StageContext } from '../types.js';
import type { ReplayConfig } from './schema.js';

/** An event with the time that orders it. */
export type TimedEvent = Event & { readonly id: string; readonly user: string; readonly time: number };

type LogConfig = Pick<
  ReplayConfig,
  'columns' | 'timeFormat' | 'behaviour' | 'format' | 'delimiter' | 'header' | 'quote' | 'encoding'
>;

const OPTIONAL = ['id', 'behaviour', 'value', 'context'] as const;

/**
 * All events of a log (a file or a glob) in the order of the files, rows that cannot be read left out with a warning. An event without an
 * id gets one that follows from its row and from how many stand before it, so that the same log gives the same ids.
 * @throws RecsysError FILE_MISSING, COLUMN_MISSING, DATA_UNREADABLE, or DATA_EMPTY where no row can be read
 */
export async function readLog(path: string, config: LogConfig, context: StageContext): Promise<TimedEvent[]> {
  const events: TimedEvent[] = [];
  const refused = new Map<string, number>();
  const refuse = (reason: string) => void refused.set(reason, (refused.get(reason) ?? 0) + 1);
  let row = 0;
  for (const file of await resolveSources(path, '.')) {
    const roles = rolesOf(file, config);
    const parse = rowParser([...roles.keys()], config);
    const { format, delimiter, header, quote, encoding } = config;
    await readers[format ?? formatOf(file.name)].read(
      {
        ...{ path: file.path, name: file.name, delimiter, header, quote, encoding },
        columns: [...roles.values()],
        signal: context.signal,
        onBytes: (done) => context.progress({ task: `reading ${file.name}`, done, total: file.bytes }),
      },
      {
        record(values) {
          row++;
          try {
            events.push(parse(values, row));
          } catch (error) {
            if (!(error instanceof Refusal)) throw error;
            refuse(error.reason);
          }
        },
        reject(_line, reason) {
          row++;
          refuse(reason);
        },
      },
    );
  }
  const reasons = [...refused].map(([reason, count]) => `${count} times ${reason}`).join(', ');
  if (events.length === 0)
    throw new RecsysError('DATA_EMPTY', `${path}: no event can be read${reasons && `: ${reasons}`}`, {
      remedy: 'Check `columns`, `delimiter`, `header` and `timeFormat` against the first lines of the file.',
    });
  if (reasons !== '') context.log('warn', `${path}: rows are left out: ${reasons}`);
  return events;
}

/** The columns read of a file, by what they are. A key that JSON lines lack is an empty value. */
function rolesOf(file: SourceFile, { columns, format }: LogConfig): Map<string, ColumnRef> {
  const lines = (format ?? formatOf(file.name)) === 'jsonl';
  const roles = new Map<string, ColumnRef>([
    ['user', columns.user],
    ['item', columns.item],
    ['time', columns.time],
  ]);
  for (const role of OPTIONAL) {
    const named = columns[role] ?? (lines ? role : undefined);
    if (named !== undefined) roles.set(role, named);
  }
  return roles;
}

function rowParser(roles: readonly string[], config: LogConfig) {
  const parseTime = timeParser(config.timeFormat);
  const [user, item, time, own, behaviour, value, context] = ['user', 'item', 'time', ...OPTIONAL].map(
    (role) => roles.indexOf(role),
  );
  return (values: readonly RawValue[], row: number): TimedEvent => {
    const did = (behaviour! < 0 ? '' : text(values[behaviour!])) || config.behaviour;
    const worth = value! < 0 ? null : optionalNumber(values[value!], 'value');
    const event = {
      user: id(values[user!], 'user'),
      item: id(values[item!], 'item'),
      time: timeOf(values[time!], parseTime, config.timeFormat),
      ...(did === undefined ? {} : { behaviour: did }),
      ...(worth === null ? {} : { value: worth }),
    };
    const kept = context! < 0 ? '' : text(values[context!]);
    return {
      id: (own! < 0 ? '' : text(values[own!])) || derivedId(row, event),
      ...event,
      ...(kept === '' ? {} : { context: contextOf(kept) }),
    };
  };
}

function contextOf(text: string): NonNullable<Event['context']> {
  const found = eventSchema.shape.context.safeParse(parsedJson(text)).data;
  if (found === undefined) throw new Refusal('context is not a JSON object of texts, numbers and booleans');
  return found;
}

function derivedId(row: number, event: object): string {
  return `replay-${createHash('sha256')
    .update(`${row} ${JSON.stringify(event)}`)
    .digest('hex')
    .slice(0, 20)}`;
}
