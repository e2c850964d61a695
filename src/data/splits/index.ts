import { RecsysError } from '../../errors.js';
import type { SplitConfig, SplitKind } from '../split-schema.js';
import type { Staging } from '../staging.js';
import { cold } from './cold.js';
import { globalTime } from './global-time.js';
import { leaveLastOut } from './leave-last-out.js';
import type { Split, SplitInput } from './split.js';
import { userRatio } from './user-ratio.js';

/** Every way to divide rows. */
export const splits = {
  'leave-last-out': leaveLastOut,
  'global-time': globalTime,
  'user-ratio': userRatio,
  cold,
} satisfies { [K in SplitKind]: Split<K> };

/** Rows that were left out so that the split keeps what it declares. */
export interface Guarded {
  /** Held-out rows whose item has no training row, dropped under `catalogue: train`. */
  readonly droppedUnknownItems: number;
}

/**
 * Divides the staging table `rows` and checks the result against what the protocol declares.
 * Errors: SPLIT_IMPOSSIBLE where the data cannot give it, LEAK where a held-out row is earlier than a training row.
 */
export async function divide(
  input: Omit<SplitInput<SplitKind>, 'config'> & { config: SplitConfig },
): Promise<Guarded> {
  const { config, staging, time } = input;
  if (config.order === 'temporal' && time === 'none') {
    throw new RecsysError(
      'SPLIT_IMPOSSIBLE',
      `split ${config.kind} declares order: temporal, but the interactions have neither time nor order`,
      {
        remedy:
          'Map a time or order column, say `rowsInOrder: true` if the rows stand in order, or use user-ratio with order: random.',
      },
    );
  }
  switch (config.kind) {
    case 'leave-last-out':
      await splits[config.kind]({ ...input, config });
      break;
    case 'global-time':
      await splits[config.kind]({ ...input, config });
      break;
    case 'user-ratio':
      await splits[config.kind]({ ...input, config });
      break;
    case 'cold':
      await splits[config.kind]({ ...input, config });
      break;
  }
  let droppedUnknownItems = 0;
  if (config.catalogue === 'train') {
    const unknown = 'split > 0 AND i NOT IN (SELECT i FROM rows WHERE split = 0)';
    [droppedUnknownItems = 0] = await staging.numbers(`SELECT count(*) FROM rows WHERE ${unknown}`);
    if (droppedUnknownItems > 0)
      await staging.run(`CREATE OR REPLACE TABLE rows AS SELECT * FROM rows WHERE NOT (${unknown})`);
  }
  await assertUsable(input.staging, config);
  if (config.order === 'temporal') await assertTemporal(staging, config.kind === 'global-time');
  return { droppedUnknownItems };
}

async function assertUsable(staging: Staging, config: SplitConfig): Promise<void> {
  const [train, test] = await staging.numbers(
    'SELECT count(*) FILTER (WHERE split = 0), count(*) FILTER (WHERE split = 2) FROM rows',
  );
  if (train! > 0 && test! > 0) return;
  throw new RecsysError(
    'SPLIT_IMPOSSIBLE',
    `split ${config.kind} leaves ${train} training and ${test} test rows`,
  );
}

/** Equal times are no leak: their order is the source's. */
async function assertTemporal(staging: Staging, global: boolean): Promise<void> {
  const group = global ? '' : 'GROUP BY u';
  // An order compares rows of one user only.
  const key = global ? '"time"' : '("time", ord)';
  const [leaks] = await staging.numbers(
    `SELECT count(*) FROM (SELECT 1 FROM rows ${group} HAVING
       max(${key}) FILTER (WHERE split = 0) > min(${key}) FILTER (WHERE split > 0)
       OR max(${key}) FILTER (WHERE split < 2) > min(${key}) FILTER (WHERE split = 2))`,
  );
  if (leaks! > 0)
    throw new RecsysError(
      'LEAK',
      `${global ? 'some' : `${leaks} users’`} held-out rows are earlier than training rows`,
    );
}
