import { z } from 'zod';
import type { CheckpointRecord } from '../checkpoints/record.js';

export const BY_OPERATOR = 'paused by an operator';

/** Why learning pauses. What is skipped meanwhile is recorded with it. */
export const PAUSES = [
  BY_OPERATOR,
  'learning failed',
  'learning diverged',
  'worse than the frozen model',
] as const;
export type PauseReason = (typeof PAUSES)[number];

/** From here on events are not learned, until `resume`. */
export const pauseRecord = z.object({ type: z.literal('pause'), reason: z.string() });
/** Events that are taken into updates after this are learned again. */
export const resumeRecord = z.object({ type: z.literal('resume') });
/** Everything learned is again what it was after record `to`; histories, popularity and ids stay. */
export const rollbackRecord = z.object({ type: z.literal('rollback'), to: z.number().int().min(0) });

export type RollbackRecord = Readonly<z.output<typeof rollbackRecord>>;
/** What changes from outside what is learned. Written before it takes effect, between two updates, so that a replay repeats it. */
export type ControlRecord = Readonly<
  z.output<typeof pauseRecord> | z.output<typeof resumeRecord> | RollbackRecord | CheckpointRecord
>;

export const isControl = <R extends { readonly type: string }>(record: R): record is R & ControlRecord =>
  ['pause', 'resume', 'rollback', 'checkpoint'].includes(record.type);
