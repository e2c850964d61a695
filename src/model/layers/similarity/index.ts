import { cosine } from './cosine.js';
import { dot } from './dot.js';
import type { Similarity } from './similarity.js';

/** Every similarity of a state and an item, by its name in the YAML. */
export const SIMILARITIES = { dot, cosine } as const satisfies Record<string, Similarity>;
export type SimilarityName = keyof typeof SIMILARITIES;
export const SIMILARITY_NAMES = Object.keys(SIMILARITIES) as [SimilarityName, ...SimilarityName[]];
