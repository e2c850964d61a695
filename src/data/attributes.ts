import { RecsysError } from '../errors.js';
import type { StageContext } from '../types.js';
import { readFile } from './ingest.js';
import { formatOf, readers } from './readers/index.js';
import type { RawValue, Reader } from './readers/reader.js';
import { resolveSources } from './readers/source.js';
import type { Rejects } from './rejects.js';
import type { PrepareConfig } from './schema.js';
import type { AttributeConfig, AttributeSource, ColumnRef } from './source-schema.js';
import { identifier, literal, type Staging } from './staging.js';
import { timeParser } from './time.js';
import { id, NOT_UTF8, optionalNumber, Refusal, text } from './values.js';

export type Side = 'items' | 'users';

/** An attribute under its name, in the order of the configuration. */
export interface Attribute extends AttributeConfig {
  readonly name: string;
}

/** Stands between tags in the staging tables; no text file holds it. */
const UNIT = '\u001f';

/**
 * Loads the attribute files of one side into the staging table `attributes_<side>(id, title, <attributes>)`, one row an id:
 * tags of several rows of an id are joined, of everything else the first counts. Tags are VARCHAR[], dates milliseconds.
 */
export async function ingestAttributes(
  side: Side,
  config: Pick<PrepareConfig, 'idPrefix' | Side>,
  base: string,
  staging: Staging,
  rejects: Rejects,
  context: StageContext,
): Promise<Attribute[]> {
  const prefix = literal(config.idPrefix[side]);
  const attributes: Attribute[] = [];
  const selected: string[] = [];
  const titles: string[] = [];
  const tables: string[] = [];
  for (const [index, source] of config[side].entries()) {
    const table = `${side}_file_${index}`;
    const here = Object.entries(source.attributes).map(([name, a]) => ({ ...a, name }));
    for (const a of here) {
      if (attributes.some((known) => known.name === a.name))
        throw new RecsysError(
          'CONFIG_INVALID',
          `${side}.${index}.attributes.${a.name}: another file has an attribute of this name`,
        );
    }
    await load(side, index, source, here, table, base, staging, rejects, context);
    const columns = here.map((a) => {
      const name = identifier(a.name);
      if (a.type === 'tags') return `string_agg(${name}, '${UNIT}' ORDER BY seq) AS ${name}`;
      return `first(${name} ORDER BY seq) FILTER (WHERE ${name} IS NOT NULL) AS ${name}`;
    });
    columns.push('first(title ORDER BY seq) FILTER (WHERE title IS NOT NULL) AS title');
    await staging.run(
      `CREATE OR REPLACE TABLE ${table} AS SELECT ${prefix} || id AS id, min(seq) AS seq, ${columns.join(', ')} FROM ${table} GROUP BY ${table}.id`,
    );
    for (const a of here) {
      const from = `${table}.${identifier(a.name)}`;
      // Distinct tags in the order in which they stand.
      const value =
        a.type === 'tags'
          ? `list_filter(string_split(${from}, '${UNIT}'), lambda x, n: list_position(string_split(${from}, '${UNIT}'), x) = n)`
          : from;
      selected.push(`${value} AS ${identifier(a.name)}`);
    }
    titles.push(`${table}.title`);
    tables.push(table);
    attributes.push(...here);
  }
  if (tables.length === 0) {
    await staging.run(`CREATE TABLE attributes_${side}(seq INTEGER, id VARCHAR, title VARCHAR)`);
    return [];
  }
  const ids = tables.map((t, n) => `SELECT id, seq, ${n} AS file FROM ${t}`).join(' UNION ALL ');
  await staging.run(
    `CREATE TABLE attributes_${side} AS SELECT ids.seq, ids.id, coalesce(${titles.join(', ')}) AS title
       ${selected.map((s) => `, ${s}`).join('')}
     FROM (SELECT id, CAST(row_number() OVER (ORDER BY min(file), min(seq)) AS INTEGER) AS seq FROM (${ids}) GROUP BY id) ids
     ${tables.map((t) => `LEFT JOIN ${t} ON ${t}.id = ids.id`).join(' ')}`,
  );
  for (const table of tables) await staging.run(`DROP TABLE ${table}`);
  return attributes;
}

async function load(
  side: Side,
  index: number,
  source: AttributeSource,
  attributes: readonly Attribute[],
  table: string,
  base: string,
  staging: Staging,
  rejects: Rejects,
  context: StageContext,
): Promise<void> {
  const types = attributes.map(
    (a) => `${identifier(a.name)} ${a.type === 'number' || a.type === 'date' ? 'DOUBLE' : 'VARCHAR'}`,
  );
  await staging.run(
    `CREATE TABLE ${table}(${['seq INTEGER', 'id VARCHAR', 'title VARCHAR', ...types].join(', ')})`,
  );
  const files = await resolveSources(source.path, base);
  const appender = await staging.appender(table);
  let seq = 0;
  for (const file of files) {
    const reader: Reader = readers[source.format ?? formatOf(file.name)];
    const idColumn = source.id ?? reader.columns?.[0];
    if (idColumn === undefined)
      throw new RecsysError(
        'CONFIG_INVALID',
        `${side}.${index}.id: say which column of ${file.name} holds the id`,
      );
    const columns: ColumnRef[] = [idColumn];
    if (source.title !== undefined) columns.push(source.title);
    const firsts = attributes.map((a) => {
      const at = columns.length;
      columns.push(...(a.flags ? Object.values(a.flags) : [a.column!]));
      return at;
    });
    const parsers = attributes.map((a) => parserOf(a));
    await readFile(file, source, columns, rejects, context, (values) => {
      const key = id(values[0], side === 'items' ? 'item' : 'user');
      const title = source.title === undefined ? '' : valid(text(values[1]));
      // All is parsed before anything is appended: a refused row leaves no half behind.
      const parsed = attributes.map((a, n) => parsers[n]!(values.slice(firsts[n]!, firsts[n]! + width(a))));
      appender.appendInteger(seq++);
      appender.appendVarchar(key);
      if (title === '') appender.appendNull();
      else appender.appendVarchar(title);
      for (const value of parsed) {
        if (value === null) appender.appendNull();
        else if (typeof value === 'number') appender.appendDouble(value);
        else appender.appendVarchar(value);
      }
      appender.endRow();
    });
  }
  appender.closeSync();
}

const width = (a: Attribute) => (a.flags ? Object.keys(a.flags).length : 1);

function valid(found: string): string {
  if (found.includes('\uFFFD')) throw new Refusal(NOT_UTF8);
  return found;
}

type Parse = (values: readonly RawValue[]) => string | number | null;

function parserOf(a: Attribute): Parse {
  if (a.flags) {
    const names = Object.keys(a.flags);
    return (values) => {
      const set = names.filter((_, n) => {
        const flag = optionalNumber(values[n], a.name);
        if (flag !== null && flag !== 0 && flag !== 1) throw new Refusal(`${a.name} flag is neither 0 nor 1`);
        return flag === 1;
      });
      return set.length > 0 ? set.join(UNIT) : null;
    };
  }
  if (a.type === 'number') {
    return ([value]) => {
      const found = optionalNumber(value, a.name);
      if (found !== null && a.log && found <= -1) throw new Refusal(`${a.name} has no logarithm`);
      return found;
    };
  }
  if (a.type === 'date') {
    const parse = timeParser(a.timeFormat);
    return ([value]) => {
      if (value === undefined) throw new Refusal('missing columns');
      if (value === null || text(value) === '') return null;
      const ms = parse(value instanceof Date || typeof value === 'number' ? value : text(value));
      if (!Number.isFinite(ms)) throw new Refusal(`${a.name} is not ${a.timeFormat}`);
      return ms;
    };
  }
  if (a.type === 'tags') {
    return ([value]) => {
      if (value === undefined) throw new Refusal('missing columns');
      const list = Array.isArray(value) ? value.map(text) : text(value).split(a.separator);
      const tags = list.map((tag) => valid(tag.trim())).filter((tag) => tag !== '');
      return tags.length > 0 ? tags.join(UNIT) : null;
    };
  }
  return ([value]) => {
    if (value === undefined) throw new Refusal('missing columns');
    return valid(text(value)) || null;
  };
}
