import type { z } from 'zod';
import type { modelSchema } from '../../model/registry.js';

interface MetaPreset {
  readonly model: z.input<typeof modelSchema>;
}

const decision = { name: 'fast-weights', adapts: 'decision' } as const;

/** Known ways to learn to learn, by name. In none of them do embeddings adapt. */
export const META_PRESETS = {
  /** Finn, Abbeel & Levine 2017, on the decision layers. */
  maml: { model: decision },
  fomaml: { model: { ...decision, order: 'first' } },
  /** Nichol, Achiam & Schulman 2018. */
  reptile: { model: { ...decision, order: 'path' } },
  /** Raghu et al. 2020: the last layer. */
  anil: { model: { ...decision, adapts: 'head' } },
  /** Lee et al. 2019: users and items by their attributes alone. */
  melu: { model: { ...decision, hidden: [64, 64], itemIds: false } },
  /** Li et al. 2017. */
  'meta-sgd': { model: { ...decision, rates: 'learned' } },
  /** Bertinetto et al. 2019. */
  'fold-in': { model: { name: 'fold-in' } },
  /** Garnelo et al. 2018: the mean over the support, in one pass. */
  'neural-process': { model: { name: 'mlp', user: 'history', values: true, length: 100, hidden: [64, 32] } },
  /** A transformer over the support. */
  'in-context': {
    model: {
      name: 'transformer',
      values: true,
      userAttributes: true,
      outputBias: true,
      tied: false,
      length: 100,
    },
  },
  /** No adaptation: users and items as their attributes say. */
  attributes: { model: { name: 'mlp', user: 'attributes', hidden: [64, 32] } },
} as const satisfies Record<string, MetaPreset>;
export type MetaPresetName = keyof typeof META_PRESETS;
export const META_PRESET_NAMES = Object.keys(META_PRESETS) as [MetaPresetName, ...MetaPresetName[]];
