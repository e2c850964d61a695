import type { Interval } from '../evaluation/significance.js';

/** A figure with its interval, to four digits. */
export const intervalText = ({ mean, low, high }: Interval): string =>
  `${mean.toFixed(4)} [${low.toFixed(4)}, ${high.toFixed(4)}]`;
