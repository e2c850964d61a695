import { z } from 'zod';

export const DATASET_FORMAT = 1;

/** `manifest.json` of a dataset directory. */
export const datasetManifestSchema = z.object({
  kind: z.literal('dataset'),
  formatVersion: z.number().int(),
  createdWith: z.string(),
  name: z.string(),
  counts: z.object({
    users: z.number(),
    items: z.number(),
    interactions: z.number(),
    train: z.number(),
    validation: z.number(),
    test: z.number(),
    rejected: z.number(),
  }),
  /** Rows left after each cleaning step, in order. */
  funnel: z.array(z.object({ step: z.string(), rows: z.number() })),
  /** Held-out rows dropped because their item has no training row (catalogue: train). */
  droppedUnknownItems: z.number(),
  /** Impressions kept, and those left out: none of their clicks is left, or the clicks are in several parts. Absent: they were not asked for. */
  impressions: z
    .object({
      train: z.number(),
      validation: z.number(),
      test: z.number(),
      withoutClick: z.number(),
      acrossParts: z.number(),
    })
    .optional(),
  behaviours: z.array(z.object({ name: z.string(), weight: z.number() })),
  /** How rows were divided: the split, the order inside a user, and the catalogue that is ranked. */
  split: z.object({
    kind: z.enum(['leave-last-out', 'global-time', 'user-ratio', 'cold']),
    order: z.enum(['temporal', 'random']),
    catalogue: z.enum(['train', 'all']),
    seed: z.number(),
    parameters: z.record(z.string(), z.unknown()),
  }),
  time: z.enum(['epoch', 'order', 'none']),
  /** Users whose last two rows carry the same time: their order is the file's. */
  ties: z.object({ usersTiedAtLast: z.number() }),
  /** What the columns were called in the source, by role. */
  columns: z.record(z.string(), z.unknown()),
  /** Attributes of items and users: name → type, and into how many buckets it is hashed. */
  attributes: z.object({ items: z.record(z.string(), z.string()), users: z.record(z.string(), z.string()) }),
  /** Fingerprint of the dataset whose numbering this one extends. */
  extends: z.string().optional(),
  /** Hash of the contents: equal fingerprints mean equal data, order and split. */
  fingerprint: z.string(),
  /** Hash of the test rows alone (user id, item id, position). */
  testSetHash: z.string(),
  files: z.record(z.string(), z.object({ bytes: z.number(), sha256: z.string() })),
});

export type DatasetManifest = z.infer<typeof datasetManifestSchema>;
