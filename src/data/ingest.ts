import { RecsysError } from '../errors.js';
import type { StageContext } from '../types.js';
import { formatOf, readers } from './readers/index.js';
import { SHOWN } from './readers/mind.js';
import type { RawValue, Reader, RecordSink } from './readers/reader.js';
import { resolveSources, type SourceFile } from './readers/source.js';
import type { Rejects } from './rejects.js';
import type { PrepareConfig } from './schema.js';
import { ShownItems } from './shown-items.js';
import type { ColumnRef, FormatName, InteractionSource } from './source-schema.js';
import { interrupted, type Staging } from './staging.js';
import { timeParser } from './time.js';
import { id, optionalNumber, Refusal, text } from './values.js';

/** What orders the rows of a user: times, a given order, or nothing. */
export type TimeKind = 'epoch' | 'order' | 'none';

/** What reading left in the staging table `raw(seq, user, item, time, ord, behaviour, value)`. */
export interface Ingested {
  readonly read: number;
  readonly droppedEmpty: number;
  readonly behaviours: readonly { name: string; weight: number }[];
  readonly time: TimeKind;
  /** Whether some rows are a history from before the first timed row. */
  readonly history: boolean;
  /** Impressions read into the staging table `shown`; absent where no source is to keep them. */
  readonly impressions?: number;
}

/** How a file is written, as the configuration says. */
interface FileFormat {
  readonly format?: FormatName | undefined;
  readonly delimiter?: string | undefined;
  readonly header: boolean | readonly string[];
  readonly quote: boolean;
  readonly encoding: 'utf-8' | 'latin-1';
}

/** Streams one file through its reader. `accept` may throw a Refusal. */
export async function readFile(
  file: SourceFile,
  source: FileFormat,
  columns: readonly ColumnRef[],
  rejects: Rejects,
  context: StageContext,
  accept: (values: readonly RawValue[]) => void,
): Promise<void> {
  const reader: Reader = readers[source.format ?? formatOf(file.name)];
  rejects.begin(file.name);
  const sink: RecordSink = {
    record(values, line, raw) {
      rejects.count();
      try {
        accept(values);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        rejects.reject(line, error.reason, raw());
      }
    },
    reject(line, reason, raw) {
      rejects.count();
      rejects.reject(line, reason, raw);
    },
  };
  try {
    await reader.read(
      {
        path: file.path,
        name: file.name,
        delimiter: source.delimiter,
        header: source.header,
        quote: source.quote,
        encoding: source.encoding,
        columns,
        signal: context.signal,
        onBytes: (done) => context.progress({ task: `reading ${file.name}`, done, total: file.bytes }),
      },
      sink,
    );
  } catch (error) {
    if (context.signal.aborted) throw interrupted();
    throw error;
  }
  rejects.check();
}

/** Which roles have a column in this source: those of the format, or those mapped. */
function rolesOf(source: InteractionSource): Map<string, ColumnRef> {
  const own: Reader | undefined = source.format && readers[source.format];
  const named = own?.columns?.filter((name) => name !== 'impression' || source.impressions);
  if (named) return new Map(named.map((name) => [name, name]));
  return new Map(
    Object.entries(source.columns).filter((pair): pair is [string, ColumnRef] => pair[1] !== undefined),
  );
}

function timeKindOf(source: InteractionSource): TimeKind {
  const roles = rolesOf(source);
  if (roles.has('time')) return 'epoch';
  return roles.has('order') || source.rowsInOrder ? 'order' : 'none';
}

/** Reads all interaction sources into the staging table `raw`. Errors: FILE_MISSING, COLUMN_MISSING, TOO_MANY_REJECTED, DATA_UNREADABLE, DATA_EMPTY. */
export async function ingestInteractions(
  config: PrepareConfig,
  base: string,
  staging: Staging,
  rejects: Rejects,
  context: StageContext,
  knownBehaviours: readonly { name: string; weight: number }[] = [],
): Promise<Ingested> {
  const sources = [config.interactions, ...config.additional];
  const kinds = new Set(sources.map(timeKindOf));
  const [time] = kinds;
  if (time === undefined || kinds.size > 1) {
    throw new RecsysError(
      'CONFIG_INVALID',
      'additional: all interaction files must have times, or all an order, or none of them either',
    );
  }
  const behaviours = new Behaviours(config.behaviours, knownBehaviours);
  await staging.run(
    'CREATE TABLE raw(seq INTEGER, "user" VARCHAR, item VARCHAR, "time" DOUBLE, ord DOUBLE, behaviour UTINYINT, value FLOAT)',
  );
  const appender = await staging.appender('raw');
  const shown = sources.some((s) => s.impressions) ? await ShownItems.open(staging) : undefined;
  let seq = 0;
  let droppedEmpty = 0;
  const names: string[] = [];
  for (const [index, source] of sources.entries()) {
    const roles = rolesOf(source);
    const columns = [...roles.values(), ...source.dropEmpty];
    const at = (role: string) => [...roles.keys()].indexOf(role);
    const [user, item, timeAt, order, behaviour, value, impression] = [
      'user',
      'item',
      'time',
      'order',
      'behaviour',
      'value',
      'impression',
    ].map(at);
    const skip = source.dropEmpty.map((_, i) => roles.size + i);
    const parseTime = timeParser(source.timeFormat);
    const files = await resolveSources(index === 0 ? (config.input ?? source.path) : source.path, base);
    for (const file of files) {
      names.push(file.name);
      shown?.nextFile();
      await readFile(file, source, columns, rejects, context, (values) => {
        for (const s of skip) {
          if (values[s] !== undefined && text(values[s]) === '') {
            droppedEmpty++;
            return;
          }
        }
        const userId = config.idPrefix.users + id(values[user!], 'user');
        const itemId = config.idPrefix.items + id(values[item!], 'item');
        const ms = timeAt! < 0 ? 0 : timeOf(values[timeAt!], parseTime, source.timeFormat);
        let ord = 0;
        if (order! >= 0) {
          const found = optionalNumber(values[order!], 'order');
          if (found === null) throw new Refusal('order is empty');
          ord = found;
        }
        const worth = value! < 0 ? null : optionalNumber(values[value!], 'value');
        const name = behaviour! < 0 ? source.behaviour : text(values[behaviour!]);
        // A history's rows were not shown in the impression that repeats them.
        if (impression! >= 0 && ord >= 0)
          shown!.add(values[impression!], itemId, name === SHOWN ? undefined : seq);
        if (impression! >= 0 && name === SHOWN) return;
        const code = behaviours.code(name);
        appender.appendInteger(seq++);
        appender.appendVarchar(userId);
        appender.appendVarchar(itemId);
        appender.appendDouble(ms);
        appender.appendDouble(ord);
        appender.appendUTinyInt(code);
        if (worth === null) appender.appendNull();
        else appender.appendFloat(worth);
        appender.endRow();
      });
    }
  }
  appender.closeSync();
  shown?.close();
  if (seq === 0) throw nothingRead(names, droppedEmpty, rejects);
  const history = sources.some((s) => s.format === 'mind');
  return {
    ...{ read: seq + droppedEmpty, droppedEmpty, behaviours: behaviours.list, time, history },
    ...(shown ? { impressions: shown.impressions } : {}),
  };
}

function nothingRead(names: readonly string[], droppedEmpty: number, rejects: Rejects): RecsysError {
  if (droppedEmpty > 0) {
    const message = `no interaction is left: dropEmpty removed all ${droppedEmpty} rows`;
    return new RecsysError('DATA_EMPTY', message, { remedy: 'Loosen `dropEmpty`.' });
  }
  if (rejects.total > 0) {
    const message = `no row can be read (${rejects.total} refused); most often: ${rejects.commonest()}`;
    return new RecsysError('DATA_EMPTY', message, {
      remedy: 'Correct the column mapping, the time format or the encoding.',
    });
  }
  const files =
    names.length > 3 ? `${names.slice(0, 3).join(', ')} … (${names.length} files)` : names.join(', ');
  return new RecsysError('DATA_EMPTY', `${files}: no data rows`, {
    remedy: 'Give a file with data; with `header: true` the first line names the columns and is no row.',
  });
}

/** A time in milliseconds since the epoch. Throws a Refusal where there is none. */
export function timeOf(value: RawValue, parse: ReturnType<typeof timeParser>, format: string): number {
  if (value === undefined) throw new Refusal('missing columns');
  const ms = value instanceof Date || typeof value === 'number' ? parse(value) : parse(text(value));
  if (Number.isFinite(ms)) return ms;
  throw new Refusal(text(value) === '' ? 'time is empty' : `time is not ${format}`);
}

/** Numbers behaviours: those of an extended dataset first, then as the configuration lists them, then as they come. */
class Behaviours {
  readonly list: { name: string; weight: number }[];
  private readonly codes = new Map<string, number>();

  constructor(
    private readonly named: PrepareConfig['behaviours'],
    known: readonly { name: string; weight: number }[],
  ) {
    this.list = known.map((b) => ({ ...b }));
    for (const source of Object.keys(named)) this.code(source);
  }

  code(source: string): number {
    const known = this.codes.get(source);
    if (known !== undefined) return known;
    if (source === '') throw new Refusal('behaviour is empty');
    const name = this.named[source]?.name ?? source;
    let code = this.list.findIndex((b) => b.name === name);
    if (code < 0) {
      if (this.list.length > 255)
        throw new RecsysError(
          'CONFIG_INVALID',
          'interactions.columns.behaviour: the column has more than 256 different values; it is probably not a behaviour',
        );
      code = this.list.push({ name, weight: this.named[source]?.weight ?? 1 }) - 1;
    }
    this.codes.set(source, code);
    return code;
  }
}
