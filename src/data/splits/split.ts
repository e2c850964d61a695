import type { TimeKind } from '../ingest.js';
import type { SplitConfig, SplitKind } from '../split-schema.js';
import type { Staging } from '../staging.js';

export interface SplitInput<K extends SplitKind> {
  readonly config: Extract<SplitConfig, { kind: K }>;
  readonly staging: Staging;
  readonly time: TimeKind;
  readonly seed: number;
}

/**
 * Divides rows: replaces the staging table `rows` by one with a column `split` (SPLIT codes).
 * Adding a split: one file here, one line in splits/index.ts, one schema.
 */
export type Split<K extends SplitKind> = (input: SplitInput<K>) => Promise<void>;

/** Sort keys of a user's rows, oldest first: ties in time keep the order of the source. */
export const OLDEST_FIRST = '"time", ord, seq';
export const NEWEST_FIRST = '"time" DESC, ord DESC, seq DESC';

/** SQL for a number in [0, 1) drawn from `key` (an SQL text) and the seed; the same on every machine and version. */
export function draw(seed: number, purpose: string, key: string): string {
  return `(CAST(md5_number_lower('${seed}:${purpose}:' || ${key}) AS DOUBLE) / 18446744073709551616.0)`;
}

/** SQL for the rows with each one's `place` in its user's order, from 1, and the number `n` of that user's rows. */
export const placed = (order: string): string =>
  `SELECT *, row_number() OVER (PARTITION BY u ORDER BY ${order}) AS place, count(*) OVER (PARTITION BY u) AS n FROM rows`;

/** SQL: a placed row is among the last shares of its user's rows, each rounded down, and not the first. */
export function lastShare(...shares: readonly number[]): string {
  // 1e-9: a share such as 0.1 of 30 must give 3 in spite of binary fractions.
  const held = shares.map((share) => `CAST(floor(n * ${share} + 1e-9) AS INTEGER)`).join(' - ');
  return `place > n - ${held} AND place > 1`;
}
