import { z } from 'zod';

/** Answer of `/healthz` and `/readyz`. */
export const statusSchema = z.object({ status: z.string() });
