import { z } from 'zod';

export const intervalSchema = z
  .object({ mean: z.number().nullable(), low: z.number().nullable(), high: z.number().nullable() })
  .describe('mean with its 95 % interval over users; null where there are too few');
