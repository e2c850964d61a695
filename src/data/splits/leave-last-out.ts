import { RecsysError } from '../../errors.js';
import { NEWEST_FIRST, type Split } from './split.js';

/** The last `test` rows of each user, and the `validation` rows before; users with fewer rows stay in training. */
export const leaveLastOut: Split<'leave-last-out'> = async ({ config, staging }) => {
  const { validation, test } = config;
  const least = validation + test + 1;
  const [most] = await staging.numbers('SELECT max(n) FROM (SELECT count(*) AS n FROM rows GROUP BY u)');
  if (most! < least) {
    throw new RecsysError(
      'SPLIT_IMPOSSIBLE',
      `leave-last-out needs users with at least ${least} rows (${validation} validation, ${test} test, 1 to train); the longest has ${most}`,
    );
  }
  await staging.run(
    `CREATE OR REPLACE TABLE rows AS SELECT * EXCLUDE (back, n), CAST(CASE
       WHEN n < ${least} THEN 0 WHEN back <= ${test} THEN 2 WHEN back <= ${test + validation} THEN 1 ELSE 0 END AS UTINYINT) AS split
     FROM (SELECT *, row_number() OVER (PARTITION BY u ORDER BY ${NEWEST_FIRST}) AS back, count(*) OVER (PARTITION BY u) AS n FROM rows)`,
  );
};
