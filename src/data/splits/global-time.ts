import { RecsysError } from '../../errors.js';
import { isoTime } from '../cleaning.js';
import type { Split } from './split.js';

/** Rows from one moment on are held out. Rows of one time stay together, so that no held-out row is as early as a training row. */
export const globalTime: Split<'global-time'> = async ({ config, staging, time }) => {
  if (time !== 'epoch') {
    throw new RecsysError(
      'SPLIT_IMPOSSIBLE',
      'global-time needs a time column: an order within each user says nothing across users',
    );
  }
  const { test, validation } = config;
  const [all] = await staging.numbers('SELECT count(*) FROM rows');
  /** The time of the first of the last `held` rows. */
  const momentOf = async (held: number) => {
    const place = Math.min(all! - 1, Math.max(0, all! - Math.round(held)));
    const [at] = await staging.numbers(`SELECT quantile_disc("time", ${(place + 0.5) / all!}) FROM rows`);
    return at!;
  };
  const testFrom = typeof test === 'string' ? isoTime(test, 'split.test') : await momentOf(test * all!);
  let validationFrom = testFrom;
  if (typeof validation === 'string') validationFrom = isoTime(validation, 'split.validation');
  else if (validation > 0) {
    const [later] = await staging.numbers(`SELECT count(*) FILTER (WHERE "time" >= ${testFrom}) FROM rows`);
    validationFrom = await momentOf(later! + validation * all!);
  }
  if (validationFrom > testFrom) {
    throw new RecsysError(
      'CONFIG_INVALID',
      'split.validation: the validation rows must begin before the test rows (split.test)',
    );
  }
  await staging.run(
    `CREATE OR REPLACE TABLE rows AS SELECT *, CAST(CASE WHEN "time" >= ${testFrom} THEN 2 WHEN "time" >= ${validationFrom} THEN 1 ELSE 0 END AS UTINYINT) AS split FROM rows`,
  );
};
