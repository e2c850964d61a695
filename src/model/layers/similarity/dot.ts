import type { Similarity } from './similarity.js';

/** state · item. */
export const dot: Similarity = { state: (x) => x, item: (x) => x };
