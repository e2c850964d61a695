import type { FeedForward } from './feed-forward.js';
import { gelu } from './gelu.js';
import { relu } from './relu.js';
import { swiglu } from './swiglu.js';

/** Every feed-forward network, by its name in the YAML; `none`: a block is its attention alone. */
export const FEED_FORWARDS = { relu, gelu, swiglu, none: undefined } as const satisfies Record<
  string,
  FeedForward | undefined
>;
export type FeedForwardName = keyof typeof FEED_FORWARDS;
export const FEED_FORWARD_NAMES = Object.keys(FEED_FORWARDS) as [FeedForwardName, ...FeedForwardName[]];
