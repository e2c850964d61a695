import type { Interval } from '../intervals.js';

const known = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** NaN, of too few events or users, is null in JSON. */
export const bounds = ({ mean, low, high }: Interval) => ({
  mean: known(mean),
  low: known(low),
  high: known(high),
});
