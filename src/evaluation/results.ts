import { z } from 'zod';
import { protocolSchema } from './protocol.js';

/** Version of an evaluation directory's format (docs/evaluation.md). */
export const EVALUATION_FORMAT = 1;

const interval = z.object({ mean: z.number(), low: z.number(), high: z.number() });

/** Ranking metrics of a model whose items' vectors were moved. */
const movedSchema = z.object({
  metrics: z.record(z.string(), z.number()),
  intervals: z.record(z.string(), interval),
});

/** A model with each item's vector moved by the length `epsilon`. */
export const attackSchema = z.object({
  epsilon: z.number(),
  /** Where the loss of the questions grows fastest. */
  adversarial: movedSchema,
  /** In random directions: the control. */
  random: movedSchema,
});
export type Attack = z.infer<typeof attackSchema>;

/** What a row reaches at the task of one behaviour. */
export const behaviourResultSchema = z.object({
  /** Users with a target of this behaviour: one query each. */
  users: z.number().int(),
  metrics: z.record(z.string(), z.number()),
  intervals: z.record(z.string(), interval),
});
export type BehaviourResult = z.infer<typeof behaviourResultSchema>;

/** One line of the table. */
export const rowSchema = z.object({
  name: z.string(),
  /** `external`: lists made elsewhere, such as an oracle's. */
  kind: z.enum(['model', 'baseline', 'external']),
  /** The checkpoint, for a model. */
  path: z.string().optional(),
  metrics: z.record(z.string(), z.number()),
  /** 95 % bootstrap intervals of the metrics that are means over users. */
  intervals: z.record(z.string(), interval),
  /** The same at the task of each target behaviour, where asked for. */
  perBehaviour: z.record(z.string(), behaviourResultSchema).optional(),
  parameters: z.number(),
  /** Parameters of a model that are no embeddings. */
  weights: z.number().optional(),
  bytes: z.number(),
  /** Median over single requests: scores of all items and the top list. */
  milliseconds: z.number().optional(),
  /** Hyperparameters of a baseline. */
  settings: z.record(z.string(), z.union([z.number(), z.string()])).optional(),
  note: z.string().optional(),
  /** Candidates the model does not know: tied on the last place. */
  unknownItems: z.number().optional(),
  /** A model under attack, where that was asked for; of one whose items have no vectors, none. */
  attacks: z.array(attackSchema).optional(),
  /** Targets that are no candidates: misses. */
  unreachable: z.number(),
});
export type ResultRow = z.infer<typeof rowSchema>;

/** Mean of row − against over the same users. */
export const differenceSchema = z.object({
  row: z.string(),
  against: z.string(),
  metrics: z.record(z.string(), interval),
});
export type Difference = z.infer<typeof differenceSchema>;

/** What a row keeps of the reference. */
export const retentionSchema = z.object({
  row: z.string(),
  reference: z.string(),
  metric: z.string(),
  /** Ratio of the means over the same users. */
  quality: interval,
  /** Shares of the reference's bytes, and of its parameters that are no embeddings. */
  bytes: z.number(),
  weights: z.number().optional(),
});
export type Retention = z.infer<typeof retentionSchema>;

/** `results.json` of an evaluation directory. */
export const resultsSchema = z.object({
  kind: z.literal('evaluation'),
  formatVersion: z.number().int(),
  dataset: z.object({ path: z.string(), name: z.string() }),
  protocol: protocolSchema,
  rows: z.array(rowSchema),
  skipped: z.array(z.object({ name: z.string(), reason: z.string() })),
  /** Each model against the best baseline, and against the rows of `against` where that was given. */
  differences: z.array(differenceSchema),
  against: z.string().optional(),
  /** Each model against the `reference`. */
  retention: z.array(retentionSchema).optional(),
  /** Others' figures, as the config gave them. */
  published: z
    .array(z.object({ name: z.string(), source: z.string(), metrics: z.record(z.string(), z.number()) }))
    .optional(),
  /** Share of the targets that are in their user's history, where the seen filter is on and there are any. */
  repeatedTargets: z.number().optional(),
  /** Of impressions: what was shown in those asked about, how much of it has no train row, and how many were all clicks and left out. */
  impressions: z.object({ shown: z.number(), untrained: z.number(), onlyClicked: z.number() }).optional(),
  labels: z.object({ count: z.number(), majority: z.number() }).optional(),
  ratings: z.object({ count: z.number(), rmseOfMean: z.number(), maeOfMean: z.number() }).optional(),
  seconds: z.number(),
});
export type Results = z.infer<typeof resultsSchema>;
