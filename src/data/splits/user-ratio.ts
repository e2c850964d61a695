import { draw, OLDEST_FIRST, type Split } from './split.js';

/** A share of each user's rows: the last ones (order: temporal) or random ones. Shares are rounded down, at least one row trains. */
export const userRatio: Split<'user-ratio'> = async ({ config, staging, seed }) => {
  const { validation, test, order } = config;
  const key = order === 'temporal' ? OLDEST_FIRST : `${draw(seed, 'row', 'CAST(seq AS VARCHAR)')}, seq`;
  // 1e-9: a share such as 0.1 of 30 must give 3 in spite of binary fractions.
  const held = (share: number) => `CAST(floor(n * ${share} + 1e-9) AS INTEGER)`;
  await staging.run(
    `CREATE OR REPLACE TABLE rows AS SELECT * EXCLUDE (place, n), CAST(CASE
       WHEN place > n - ${held(test)} AND place > 1 THEN 2
       WHEN place > n - ${held(test)} - ${held(validation)} AND place > 1 THEN 1 ELSE 0 END AS UTINYINT) AS split
     FROM (SELECT *, row_number() OVER (PARTITION BY u ORDER BY ${key}) AS place, count(*) OVER (PARTITION BY u) AS n FROM rows)`,
  );
};
