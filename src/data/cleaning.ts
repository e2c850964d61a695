import { RecsysError } from '../errors.js';
import type { Ingested } from './ingest.js';
import type { PrepareConfig } from './schema.js';
import { literal, type Staging } from './staging.js';
import { iso } from './time.js';

/** Rows left after each step, in the order of the steps. */
export interface FunnelStep {
  readonly step: string;
  readonly rows: number;
}

/**
 * Turns the staging table `raw` into `rows(u, i, seq, time, ord, behaviour, value)`, u and i being numbers of its own
 * (tables `raw_users`, `raw_items`: k, id), with the cleaning applied. Errors: DATA_EMPTY naming the step that removed most.
 */
export async function clean(
  config: PrepareConfig,
  ingested: Ingested,
  staging: Staging,
): Promise<FunnelStep[]> {
  const funnel: FunnelStep[] = [{ step: 'read', rows: ingested.read }];
  if (ingested.droppedEmpty > 0)
    funnel.push({ step: 'dropEmpty', rows: ingested.read - ingested.droppedEmpty });

  const filters = rowFilters(config, ingested);
  if (filters.length > 0) {
    const cumulative = filters.map((_, n) =>
      filters
        .slice(0, n + 1)
        .map((f) => `(${f.where})`)
        .join(' AND '),
    );
    const counts = await staging.numbers(
      `SELECT ${cumulative.map((w) => `count(*) FILTER (WHERE ${w})`).join(', ')} FROM raw`,
    );
    funnel.push(...filters.map((f, n) => ({ step: f.step, rows: counts[n]! })));
    assertSome(funnel);
  }
  const where = filters.length === 0 ? '' : `WHERE ${filters.map((f) => `(${f.where})`).join(' AND ')}`;
  for (const [table, column] of [
    ['raw_users', '"user"'],
    ['raw_items', 'item'],
  ] as const) {
    await staging.run(
      `CREATE TABLE ${table} AS SELECT CAST(row_number() OVER (ORDER BY first) AS INTEGER) AS k, id
       FROM (SELECT ${column} AS id, min(seq) AS first FROM raw ${where} GROUP BY 1)`,
    );
  }
  const time = ingested.time === 'order' && config.interactions.rowsInOrder ? 'CAST(seq AS DOUBLE)' : 'ord';
  await staging.run(
    `CREATE TABLE rows AS SELECT u.k AS u, i.k AS i, seq, "time", ${time} AS ord, behaviour, value
     FROM raw JOIN raw_users u ON u.id = raw."user" JOIN raw_items i ON i.id = raw.item ${where}`,
  );
  await staging.run('DROP TABLE raw');

  if (ingested.history) {
    await settleHistory(staging);
    await count(staging, funnel, 'repeated histories');
  }
  const { duplicates, core } = config.cleaning;
  if (duplicates !== 'keep') {
    const direction = duplicates === 'first' ? 'ASC' : 'DESC';
    await staging.run(
      `CREATE OR REPLACE TABLE rows AS SELECT * FROM rows QUALIFY row_number() OVER
       (PARTITION BY u, i, behaviour ORDER BY "time" ${direction}, ord ${direction}, seq ${direction}) = 1`,
    );
    await count(staging, funnel, `duplicates: ${duplicates}`);
  }
  if (core.user > 1 || core.item > 1) {
    await kCore(staging, core.user, core.item);
    await count(staging, funnel, coreStep(core));
  }
  assertSome(funnel);
  return funnel;
}

async function count(staging: Staging, funnel: FunnelStep[], step: string): Promise<void> {
  const [rows] = await staging.numbers('SELECT count(*) FROM rows');
  funnel.push({ step, rows: rows! });
}

function rowFilters(config: PrepareConfig, ingested: Ingested): { step: string; where: string }[] {
  const { behaviours, minValue, from, until } = config.cleaning;
  const filters: { step: string; where: string }[] = [];
  if (behaviours) {
    const codes = behaviours.map((name) => {
      const code = ingested.behaviours.findIndex((b) => b.name === name);
      if (code >= 0) return code;
      throw new RecsysError(
        'CONFIG_INVALID',
        `cleaning.behaviours: there is no behaviour ${JSON.stringify(name)}; the data have ${ingested.behaviours.map((b) => b.name).join(', ')}`,
      );
    });
    filters.push({ step: 'behaviours', where: `behaviour IN (${codes.join(', ') || 'NULL'})` });
  }
  if (minValue !== undefined)
    filters.push({ step: 'minValue', where: `coalesce(value >= CAST(${minValue} AS FLOAT), false)` });
  for (const [key, value, operator] of [
    ['from', from, '>='],
    ['until', until, '<'],
  ] as const) {
    if (value === undefined) continue;
    if (ingested.time !== 'epoch')
      throw new RecsysError('CONFIG_INVALID', `cleaning.${key}: the interactions have no time column`);
    filters.push({
      step: `${key} ${value}`,
      where: `"time" ${operator} ${isoTime(value, `cleaning.${key}`)}`,
    });
  }
  return filters;
}

/** Milliseconds of an ISO time in the configuration. Errors: CONFIG_INVALID naming the key. */
export function isoTime(value: string, key: string): number {
  const ms = iso(value);
  if (Number.isFinite(ms)) return ms;
  throw new RecsysError(
    'CONFIG_INVALID',
    `${key}: ${literal(value)} is not an ISO time (2020-01-31 or 2020-01-31T12:00:00)`,
  );
}

/** A history (negative orders) came before anything timed: it takes the log's first time, each entry of a user once. */
async function settleHistory(staging: Staging): Promise<void> {
  await staging.run(
    `CREATE OR REPLACE TABLE rows AS
     SELECT u, i, seq, CASE WHEN ord < 0 THEN min("time") OVER () ELSE "time" END AS "time", ord, behaviour, value
     FROM rows QUALIFY ord >= 0 OR row_number() OVER (PARTITION BY u, ord ORDER BY seq) = 1`,
  );
}

/** The k-core as a step of the funnel: a side without a limit is left out. */
function coreStep({ user, item }: PrepareConfig['cleaning']['core']): string {
  const sides = [
    ['users', user],
    ['items', item],
  ] as const;
  const limits = sides
    .filter(([, least]) => least > 1)
    .map(([side, least]) => `${side} with at least ${least} rows`);
  return `core (keeps ${limits.join(' and ')})`;
}

/** Removes users and items with too few rows until none is left to remove. */
async function kCore(staging: Staging, user: number, item: number): Promise<void> {
  const sides = [
    ['u', user],
    ['i', item],
  ] as const;
  for (let changed = true; changed; ) {
    changed = false;
    for (const [side, least] of sides) {
      const few = `SELECT ${side} FROM rows GROUP BY ${side} HAVING count(*) < ${least}`;
      const [found] = await staging.numbers(`SELECT count(*) FROM (${few})`);
      if (found === 0) continue;
      await staging.run(`CREATE OR REPLACE TABLE rows AS SELECT * FROM rows WHERE ${side} NOT IN (${few})`);
      changed = true;
    }
  }
}

function assertSome(funnel: readonly FunnelStep[]): void {
  if (funnel.at(-1)!.rows > 0) return;
  let most = funnel[1]!;
  let removed = -1;
  for (let n = 1; n < funnel.length; n++) {
    const here = funnel[n - 1]!.rows - funnel[n]!.rows;
    if (here > removed) {
      removed = here;
      most = funnel[n]!;
    }
  }
  throw new RecsysError(
    'DATA_EMPTY',
    `no interaction is left after cleaning; ${most.step} removed most (${removed} of ${funnel[0]!.rows} rows)`,
  );
}
