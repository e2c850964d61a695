import { RecsysError } from '../../errors.js';
import { isoTime } from '../cleaning.js';
import type { ColdSide } from '../split-schema.js';
import { identifier, literal, type Staging } from '../staging.js';
import { iso } from '../time.js';
import { draw, lastShare, OLDEST_FIRST, placed, type Split } from './split.js';

/** Cold users and items have no training row; the tables `cold_users(k)` and `cold_items(k)` name them. */
export const cold: Split<'cold'> = async ({ config, staging, time, seed }) => {
  await chooseCold(staging, 'users', config.users, time === 'epoch', seed);
  await chooseCold(staging, 'items', config.items, time === 'epoch', seed);
  const validation =
    config.order === 'temporal'
      ? lastShare(config.validation)
      : `${draw(seed, 'validation', 'CAST(seq AS VARCHAR)')} < ${config.validation}`;
  await staging.run(
    `CREATE OR REPLACE TABLE rows AS SELECT * EXCLUDE (place, n), CAST(CASE
       WHEN u IN (SELECT k FROM cold_users) OR i IN (SELECT k FROM cold_items) THEN 2
       WHEN ${validation} THEN 1 ELSE 0 END AS UTINYINT) AS split FROM (${placed(OLDEST_FIRST)})`,
  );
  const [train, test] = await staging.numbers(
    'SELECT count(*) FILTER (WHERE split = 0), count(*) FILTER (WHERE split = 2) FROM rows',
  );
  if (train === 0 || test === 0) {
    throw new RecsysError(
      'SPLIT_IMPOSSIBLE',
      `the cold split leaves ${train} training and ${test} test rows`,
      {
        remedy: 'Change split.users and split.items so that some, and not all, are cold.',
      },
    );
  }
};

async function chooseCold(
  staging: Staging,
  side: 'users' | 'items',
  choice: ColdSide | undefined,
  timed: boolean,
  seed: number,
): Promise<void> {
  const key = `split.${side}`;
  const column = side === 'users' ? 'u' : 'i';
  let select = 'SELECT CAST(NULL AS INTEGER) AS k WHERE false';
  if (choice?.fraction !== undefined) {
    // A share of the entities, drawn by rank, so that the count is exact.
    select = `SELECT k FROM (SELECT k, row_number() OVER (ORDER BY ${draw(seed, side, 'id')}, id) AS rank, count(*) OVER () AS n
      FROM raw_${side} WHERE k IN (SELECT ${column} FROM rows)) WHERE rank <= round(n * ${choice.fraction})`;
  } else if (choice?.firstSeenFrom !== undefined) {
    if (!timed)
      throw new RecsysError('CONFIG_INVALID', `${key}.firstSeenFrom: the interactions have no time column`);
    select = `SELECT ${column} AS k FROM rows GROUP BY 1 HAVING min("time") >= ${isoTime(choice.firstSeenFrom, `${key}.firstSeenFrom`)}`;
  } else if (choice?.attribute !== undefined) {
    select = await byAttribute(staging, side, choice, key);
  }
  await staging.run(`CREATE TABLE cold_${side} AS ${select}`);
}

async function byAttribute(staging: Staging, side: string, choice: ColdSide, key: string): Promise<string> {
  const table = `attributes_${side}`;
  const names = (
    await staging.rows(`SELECT column_name FROM duckdb_columns() WHERE table_name = '${table}'`)
  ).map(([n]) => String(n));
  const attribute = choice.attribute!;
  if (!names.includes(attribute)) {
    const have = names.filter((n) => n !== 'id' && n !== 'title');
    throw new RecsysError(
      'CONFIG_INVALID',
      `${key}.attribute: there is no attribute ${JSON.stringify(attribute)}; there are: ${have.join(', ') || 'none'}`,
    );
  }
  const value = `a.${identifier(attribute)}`;
  let condition: string;
  if (choice.values)
    condition = `CAST(${value} AS VARCHAR) IN (${choice.values.map(literal).join(', ') || 'NULL'})`;
  else {
    const from = choice.from!;
    const bound = typeof from === 'number' ? from : Number.isFinite(iso(from)) ? iso(from) : Number(from);
    if (!Number.isFinite(bound))
      throw new RecsysError(
        'CONFIG_INVALID',
        `${key}.from: ${JSON.stringify(from)} is neither a number nor an ISO time`,
      );
    condition = `TRY_CAST(${value} AS DOUBLE) >= ${bound}`;
  }
  return `SELECT r.k FROM raw_${side} r JOIN ${table} a ON a.id = r.id WHERE ${condition}`;
}
