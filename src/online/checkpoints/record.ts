import { z } from 'zod';

const named = z.object({
  /** Of its manifest: the checkpoint's identity. */
  sha256: z.string(),
  /** Where it was then. */
  path: z.string(),
});
/** A checkpoint, and where to find it. */
export type Named = Readonly<z.output<typeof named>>;

/** From here on another checkpoint is served: one taken up anew, or with `back` the one before with what had been learned on it. */
export const checkpointRecord = named.extend({
  type: z.literal('checkpoint'),
  back: z.literal(true).exactOptional(),
  /** What was served until here. */
  before: named,
});
export type CheckpointRecord = Readonly<z.output<typeof checkpointRecord>>;

/** Such a record with its number. */
export const numberedRecord = checkpointRecord.extend({ seq: z.number().int() });
export type NumberedRecord = Readonly<z.output<typeof numberedRecord>>;

/** Stands in the bytes of every frame with such a record in it. */
export const CHECKPOINT = '"checkpoint"';
