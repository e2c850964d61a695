import { draw, lastShare, OLDEST_FIRST, placed, type Split } from './split.js';

/** A share of each user's rows: the last ones (order: temporal) or random ones. Shares are rounded down, at least one row trains. */
export const userRatio: Split<'user-ratio'> = async ({ config, staging, seed }) => {
  const { validation, test, order } = config;
  const key = order === 'temporal' ? OLDEST_FIRST : `${draw(seed, 'row', 'CAST(seq AS VARCHAR)')}, seq`;
  await staging.run(
    `CREATE OR REPLACE TABLE rows AS SELECT * EXCLUDE (place, n), CAST(CASE
       WHEN ${lastShare(test)} THEN 2
       WHEN ${lastShare(test, validation)} THEN 1 ELSE 0 END AS UTINYINT) AS split
     FROM (${placed(key)})`,
  );
};
