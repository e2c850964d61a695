import type * as tf from '@tensorflow/tfjs-core';
import type { PassContext } from '../../compute/dropout.js';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { Random } from '../../random.js';
import { newestPlaces } from '../select.js';
import type { AttentionOptions } from './attention/attention.js';
import { ATTENTIONS, type AttentionName } from './attention/index.js';
import { bottleneck, initBottleneck } from './bottleneck.js';
import { FEED_FORWARDS, type FeedForwardName } from './feedforward/index.js';
import { NORMS } from './norm/index.js';
import { RESIDUALS, type ResidualName } from './residual/index.js';

/** What a pre-normalised transformer block is put together from. */
export interface BlockOptions extends AttentionOptions {
  readonly attention: AttentionName;
  readonly residual: ResidualName;
  readonly feedForwardKind: FeedForwardName;
  /** Inner width of the feed-forward layer, in widths. */
  readonly feedForward: number;
  /** Inner width of the bottlenecks after both layers, where there are some. */
  readonly bottleneck?: number | undefined;
}

/** What the parameters of a block are found under. */
export interface BlockNames {
  readonly weights: string;
  /** Of its normalisations, which are its own where blocks share their weights. */
  readonly norms: string;
}

export interface Block {
  init(into: ParameterInits, names: BlockNames, rng: Random): void;
  /** x [B, L, D], 1 where a position is absent [B, L], buckets of time differences [B, L, L] for `relativeTime` → [B, L, D], or of `newest` [B, 1, D]. */
  apply(
    params: Params,
    names: BlockNames,
    x: tf.Tensor3D,
    absent: tf.Tensor2D,
    pass: PassContext,
    buckets?: tf.Tensor3D,
  ): tf.Tensor3D;
}

/**
 * x ← x ⊞ attention(norm(x)), then x ← x ⊞ feedForward(norm(x)), where ⊞ is the residual connection; what either found goes through a
 * bottleneck before, where there are some.
 */
export function blockOf(options: BlockOptions): Block {
  const { width, dropout, bottleneck: rank } = options;
  const narrowed = (params: Params, name: string, x: tf.Tensor3D): tf.Tensor3D =>
    rank === undefined ? x : (bottleneck(params, name, x) as tf.Tensor3D);
  const attention = ATTENTIONS[options.attention];
  const norm = NORMS[options.norm];
  const residual = RESIDUALS[options.residual];
  const feedForward = FEED_FORWARDS[options.feedForwardKind];
  return {
    init(into, { weights: name, norms }, rng) {
      // Blocks that share their weights share those of the one whose norms bear the same name.
      const owner = name === norms;
      norm.init(into, `${norms}.norm1`, width);
      // Each block's own, as the norms are.
      if (rank !== undefined) initBottleneck(into, `${norms}.bottleneck1`, width, rank, rng);
      if (owner) {
        attention.init(into, `${name}.attention`, options, rng);
        residual.init(into, `${name}.residual1`, width, rng);
      }
      if (!feedForward) return;
      norm.init(into, `${norms}.norm2`, width);
      if (rank !== undefined) initBottleneck(into, `${norms}.bottleneck2`, width, rank, rng);
      if (!owner) return;
      const channels = Math.max(1, Math.round(width * options.feedForward));
      feedForward.init(into, `${name}.feedForward`, width, channels, rng);
      residual.init(into, `${name}.residual2`, width, rng);
    },
    apply(params, { weights: name, norms }, x, absent, pass, buckets) {
      const normed = norm.apply(params, `${norms}.norm1`, x) as tf.Tensor3D;
      const attended = attention.apply(params, `${name}.attention`, normed, absent, options, pass, buckets);
      const mixed = narrowed(params, `${norms}.bottleneck1`, attended);
      const given = pass.newest ? newestPlaces(x, 1) : x;
      const y = residual.apply(params, `${name}.residual1`, given, pass.dropout(mixed, dropout));
      if (!feedForward) return y;
      const inner = norm.apply(params, `${norms}.norm2`, y) as tf.Tensor3D;
      const transformed = feedForward.apply(params, `${name}.feedForward`, inner, dropout, pass);
      const found = narrowed(params, `${norms}.bottleneck2`, transformed);
      return residual.apply(params, `${name}.residual2`, y, pass.dropout(found, dropout));
    },
  };
}
