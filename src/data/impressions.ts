import { join } from 'node:path';
import type { StageContext } from '../types.js';
import type { TimeKind } from './ingest.js';
import type { DatasetManifest } from './manifest.js';
import { FILES } from './paths.js';
import { literal, type Staging } from './staging.js';

/**
 * Gives every impression the part of its clicks' rows, in the staging table `asked(impression, first, split)`, `first` being the first
 * click's row. Those without a row that is left, and those whose clicks are in several parts, go; an item that was shown twice counts once.
 */
export async function settleImpressions(
  read: number,
  staging: Staging,
): Promise<NonNullable<DatasetManifest['impressions']>> {
  await staging.run(
    `CREATE TABLE clicked AS SELECT impression, min(r.seq) AS first, min(split) AS split, max(split) AS latest
     FROM shown JOIN rows r ON r.seq = shown.seq GROUP BY 1`,
  );
  const [clicked, train, validation, test] = await staging.numbers(
    `SELECT count(*), ${[0, 1, 2].map((part) => `count(*) FILTER (WHERE split = latest AND split = ${part})`).join(', ')} FROM clicked`,
  );
  await staging.run(
    'CREATE TABLE asked AS SELECT impression, first, split FROM clicked WHERE split = latest',
  );
  await staging.run(
    `CREATE OR REPLACE TABLE shown AS SELECT min(place) AS place, impression, item, bool_or(seq IS NOT NULL) AS clicked
     FROM shown WHERE impression IN (SELECT impression FROM asked) GROUP BY impression, item`,
  );
  const kept = train! + validation! + test!;
  return {
    ...{ train: train!, validation: validation!, test: test! },
    withoutClick: read - clicked!,
    acrossParts: clicked! - kept,
  };
}

/** SQL for the written impressions as numbers, in order. */
export const IMPRESSION_ROWS = 'SELECT impression, item_index, clicked, "row", split FROM impressions';

/** Writes `impressions.parquet`: a row for every item shown, sorted by impression, then as they stood in the source. */
export async function writeImpressions(staging: Staging, time: TimeKind, outDir: string): Promise<void> {
  await staging.run(
    `CREATE TABLE impressions AS SELECT s.impression, i.idx AS item_index, s.clicked, CAST(f.rowid AS INTEGER) AS "row", a.split
     FROM shown s JOIN asked a ON a.impression = s.impression JOIN final f ON f.seq = a.first JOIN items i ON i.id = s.item ORDER BY s.place`,
  );
  const readable = time === 'epoch' ? 'make_timestamp_ms(f."time")' : 'f."time"';
  await staging.run(
    `COPY (SELECT n.impression, u.id AS "user", i.id AS item, f.user_index, n.item_index, ${readable} AS "time", n.clicked, n."row", n.split
     FROM impressions n JOIN final f ON f.rowid = n."row" JOIN users u ON u.idx = f.user_index JOIN items i ON i.idx = n.item_index
     ORDER BY n.rowid) TO ${literal(join(outDir, FILES.impressions))} (FORMAT parquet, COMPRESSION zstd)`,
  );
}

/** Tells how many impressions are kept, and why others are not. */
export function reportImpressions(
  { withoutClick, acrossParts, ...kept }: NonNullable<DatasetManifest['impressions']>,
  context: Pick<StageContext, 'log'>,
): void {
  context.log(
    'info',
    `impressions: ${kept.train} for training, ${kept.validation} for validation, ${kept.test} for the test`,
    kept,
  );
  if (withoutClick > 0)
    context.log('warn', `${withoutClick} impressions were left out: none of their clicks is among the rows`);
  if (acrossParts > 0)
    context.log(
      'warn',
      `${acrossParts} impressions were left out: their clicks are in several parts of the split (global-time keeps them together)`,
    );
}
