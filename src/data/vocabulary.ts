import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { RecsysError } from '../errors.js';
import type { Side } from './attributes.js';
import type { Staging } from './staging.js';

/**
 * Numbers the users or items of the kept rows from 1, in the order in which the source names them first, into the staging
 * table `<side>(idx, id, k)`. Ids of an extended dataset come first and keep their numbers; with `unseen`, ids that only
 * the attribute files name come after them, and with `shown` those that only impressions name.
 */
export async function number(
  side: Side,
  staging: Staging,
  old: readonly string[],
  { unseen = false, shown = false }: { readonly unseen?: boolean; readonly shown?: boolean } = {},
): Promise<number> {
  const column = side === 'users' ? 'u' : 'i';
  await staging.run(`CREATE TABLE old_${side}(idx INTEGER, id VARCHAR)`);
  if (old.length > 0) {
    const appender = await staging.appender(`old_${side}`);
    old.forEach((id, n) => {
      appender.appendInteger(n + 1);
      appender.appendVarchar(id);
      appender.endRow();
    });
    appender.closeSync();
  }
  const cold = unseen
    ? `UNION ALL SELECT id, 1 AS part, seq AS first FROM attributes_${side} WHERE id NOT IN (SELECT id FROM seen)`
    : '';
  const offered = shown
    ? 'UNION ALL SELECT item AS id, 2 AS part, min(place) AS first FROM shown WHERE item NOT IN (SELECT id FROM seen) GROUP BY 1'
    : '';
  await staging.run(
    `CREATE TABLE ${side} AS
     WITH firsts AS (SELECT ${column} AS k, min(seq) AS first FROM rows GROUP BY 1),
     seen AS (SELECT r.id, f.first FROM firsts f JOIN raw_${side} r ON r.k = f.k),
     fresh AS (SELECT id, min(part) AS part, arg_min(first, part) AS first
       FROM (SELECT id, 0 AS part, first FROM seen ${cold} ${offered}) WHERE id NOT IN (SELECT id FROM old_${side}) GROUP BY id),
     all_ids AS (SELECT idx, id FROM old_${side} UNION ALL
       SELECT CAST(${old.length} + row_number() OVER (ORDER BY part, first) AS INTEGER) AS idx, id FROM fresh)
     SELECT a.idx, a.id, r.k FROM all_ids a LEFT JOIN raw_${side} r ON r.id = a.id ORDER BY a.idx`,
  );
  const [count] = await staging.numbers(`SELECT count(*) FROM ${side}`);
  return count!;
}

/** Writes texts as JSON strings, one a line: entry n stands on line n (index 0 is not written). */
export async function writeVocabulary(
  path: string,
  entries: Iterable<string> | AsyncIterable<string>,
): Promise<void> {
  const out = createWriteStream(path);
  const done = once(out, 'finish');
  let buffer = '';
  for await (const entry of entries) {
    buffer += `${JSON.stringify(entry)}\n`;
    if (buffer.length < 1 << 16) continue;
    if (!out.write(buffer)) await Promise.race([once(out, 'drain'), done]);
    buffer = '';
  }
  out.end(buffer);
  await done;
}

/** Reads what `writeVocabulary` wrote, with '' put before it as entry 0 where `padded`. Errors: DATASET_DAMAGED. */
export async function readVocabulary(path: string, padded: boolean): Promise<string[]> {
  const entries = padded ? [''] : [];
  const lines = (await readFile(path, 'utf8')).split('\n');
  lines.pop();
  try {
    for (const line of lines) {
      const entry: unknown = JSON.parse(line);
      if (typeof entry !== 'string') throw new TypeError('not a string');
      entries.push(entry);
    }
  } catch (error) {
    throw new RecsysError(
      'DATASET_DAMAGED',
      `${path}:${entries.length + (padded ? 0 : 1)}: not a JSON string`,
      { cause: error },
    );
  }
  return entries;
}
