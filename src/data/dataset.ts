import type { Catalogue } from '../types.js';
import type { DatasetManifest } from './manifest.js';

/** Which part of the protocol a row belongs to, as stored in the `split` column. */
export const SPLIT = { train: 0, validation: 1, test: 2 } as const;

/** All interactions, sorted by user, then time (or order), then position in the source. */
export interface Interactions {
  readonly length: number;
  /** User and item indices (from 1). */
  readonly user: Int32Array;
  readonly item: Int32Array;
  /** Milliseconds since the epoch, or the source's order where it has no times. */
  readonly time: Float64Array;
  /** Index into `catalogue.behaviours`. */
  readonly behaviour: Uint8Array;
  /** Rating, play count, price paid …; NaN where the source has none. */
  readonly value: Float32Array;
  /** SPLIT code. */
  readonly split: Uint8Array;
  /** [users + 2] user u's rows are offsets[u] … offsets[u + 1] − 1. */
  readonly offsets: Int32Array;
}

/** A prepared dataset in memory. */
export interface Dataset {
  readonly path: string;
  readonly manifest: DatasetManifest;
  readonly catalogue: Catalogue;
  readonly interactions: Interactions;
}
