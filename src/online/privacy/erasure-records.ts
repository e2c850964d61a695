import { z } from 'zod';

/** Stands where an event of an erased user stood, so that all other records keep their numbers. Holds nothing of it. */
export const erasedRecord = z.object({ type: z.literal('erased') });

/**
 * From here on nothing of before is known of a user. With `user`: events before it may still stand in the journal, which the erasure under
 * way, or else the next start, puts right; then the id goes, too.
 */
export const eraseRecord = z.object({ type: z.literal('erase'), user: z.string().exactOptional() });
export type EraseRecord = Readonly<z.output<typeof eraseRecord>>;

/** Why a learner skips what an erased event left. */
export const ERASED = 'erased';
