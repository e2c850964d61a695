import type { Attention } from './attention.js';
import { gated } from './gated.js';
import { softmax } from './softmax.js';

/** Every kind of attention, by its name in the YAML. */
export const ATTENTIONS = { softmax, gated } as const satisfies Record<string, Attention>;
export type AttentionName = keyof typeof ATTENTIONS;
export const ATTENTION_NAMES = Object.keys(ATTENTIONS) as [AttentionName, ...AttentionName[]];
