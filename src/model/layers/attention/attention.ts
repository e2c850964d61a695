import type * as tf from '@tensorflow/tfjs-core';
import type { PassContext } from '../../../compute/dropout.js';
import type { Direction } from '../../../compute/ops/attention.js';
import type { ParameterInits, Params } from '../../../compute/parameters.js';
import type { Random } from '../../../random.js';
import type { NormName } from '../norm/index.js';

export interface AttentionOptions {
  readonly width: number;
  readonly heads: number;
  /** Width of one head; default: width / heads. */
  readonly headWidth?: number | undefined;
  readonly direction: Direction;
  /** Longest history read. */
  readonly length: number;
  /** Dropout rate of attention weights, where a kind of attention has any. */
  readonly dropout: number;
  /** A position sees so many events up to itself; default: all. */
  readonly shortTerm?: number | undefined;
  /** Add a learned bias by distance. */
  readonly relativePosition: boolean;
  /** Add a learned bias by time difference. */
  readonly relativeTime: boolean;
  /** Of what a kind of attention normalises in itself. */
  readonly norm: NormName;
}

/** Width of all heads together, which is the model's own unless `headWidth` says another. */
export function headsWidth({ width, heads, headWidth }: AttentionOptions): number {
  return headWidth === undefined ? width : heads * headWidth;
}

/** A layer of multi-head attention with the parameters under `name`. */
export interface Attention {
  init(into: ParameterInits, name: string, options: AttentionOptions, rng: Random): void;
  /** x [B, L, D], 1 where a position is absent [B, L], buckets of time differences [B, L, L] for `relativeTime` → [B, L, D], or of `newest` [B, 1, D]. */
  apply(
    params: Params,
    name: string,
    x: tf.Tensor3D,
    absent: tf.Tensor2D,
    options: AttentionOptions,
    pass: PassContext,
    buckets?: tf.Tensor3D,
  ): tf.Tensor3D;
}
