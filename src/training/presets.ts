import type { z } from 'zod';
import type { LossName } from '../model/losses/index.js';
import type { modelSchema } from '../model/registry.js';
import type { SamplerName } from './samplers.js';
import type { optimizerSchema, validationSchema } from './schema.js';

/** What a preset may set of pretraining. */
interface Preset {
  readonly model: z.input<typeof modelSchema>;
  readonly loss: LossName;
  readonly negatives?: number;
  readonly negativeSampling?: SamplerName;
  readonly negativeGroups?: number;
  readonly calibration?: number;
  readonly masking?: number;
  readonly optimizer: z.input<typeof optimizerSchema>;
  readonly batchSize: number;
  readonly epochs: number;
  readonly validation: z.input<typeof validationSchema>;
}

/** The sizes of Klenitskiy & Vasilev (2023), with which SASRec and its losses are compared on ML-1M. */
const sasrec = {
  name: 'transformer',
  width: 64,
  depth: 2,
  heads: 1,
  feedForward: 1,
  length: 200,
  dropout: 0.1,
} as const;

const training = {
  optimizer: { name: 'adam', learningRate: 1e-3 },
  batchSize: 128,
  epochs: 100,
  validation: { patience: 10 },
} as const;

/** Known models of the literature, by name. Negatives are shared by a batch or a part of it, which makes more of them cheap. */
export const PRESETS = {
  /** Kang & McAuley 2018: each event against one uniform negative. */
  sasrec: { ...training, model: sasrec, loss: 'bce', negatives: 1 },
  /** Klenitskiy & Vasilev 2023: the same against the whole catalogue. */
  'sasrec-ce': { ...training, model: sasrec, loss: 'softmax' },
  /** Petrov & Macdonald 2023: its output vectors are its own. */
  gsasrec: {
    ...training,
    model: { ...sasrec, width: 128, tied: false },
    loss: 'gbce',
    negatives: 256,
    negativeGroups: 16,
    calibration: 0.75,
  },
  /** Sun et al. 2019: hidden items are filled in, seeing both sides. */
  bert4rec: {
    ...training,
    epochs: 200,
    validation: { patience: 20 },
    model: { ...sasrec, direction: 'both', heads: 2, feedForward: 4, feedForwardKind: 'gelu' },
    loss: 'softmax',
    masking: 0.2,
  },
  /** Zhai et al. 2024, without the times of events: their smaller model. */
  hstu: {
    ...training,
    model: {
      ...sasrec,
      attention: 'gated',
      relativePosition: true,
      feedForwardKind: 'none',
      similarity: 'cosine',
      temperature: 0.05,
    },
    loss: 'sampled-softmax',
    negatives: 1024,
  },
  /** Tikhonovich et al. 2025: blocks of LiGR (Borisyuk et al. 2025) and a sampled softmax. */
  esasrec: {
    ...training,
    model: { ...sasrec, residual: 'gated', feedForwardKind: 'swiglu', feedForward: 4 },
    loss: 'sampled-softmax',
    negatives: 1024,
  },
} as const satisfies Record<string, Preset>;
export type PresetName = keyof typeof PRESETS;
export const PRESET_NAMES = Object.keys(PRESETS) as [PresetName, ...PresetName[]];
