import { z } from 'zod';
import { path } from '../../config/fields.js';

/** Which checkpoints a running service may be told to take up. */
export const checkpointsSchema = z
  .strictObject({
    directory: path('folder that they must lie in; absent: none is taken up').optional(),
    margin: z
      .number()
      .min(0)
      .default(0)
      .describe(
        'how much worse, in NDCG@10 on the newest events, is still taken: one whose 95 % interval lies wholly below is refused',
      ),
  })
  .prefault({})
  .describe('checkpoints that a running service takes up (`POST /v1/admin/checkpoint`)');
export type CheckpointsConfig = z.output<typeof checkpointsSchema>;
