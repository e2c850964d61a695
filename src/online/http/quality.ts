import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { RecommenderService } from '../service.js';
import { jsonSchema } from './schemas.js';

const interval = z
  .object({ mean: z.number().nullable(), low: z.number().nullable(), high: z.number().nullable() })
  .describe('mean with its 95 % interval over users; null where there are too few');

/** Reply of `GET /v1/quality`. */
export const qualityReply = z.object({
  k: z.number().describe('length of the lists that are judged'),
  window: z.number().describe('most events that count'),
  events: z.number().describe('events ranked since the start'),
  unknown: z.number().describe('those of them on items that no model knows: misses of every arm'),
  arms: z.array(
    z.object({
      arm: z.string(),
      ndcg: interval,
      hr: interval,
      logLoss: interval.describe('−log p of the item'),
    }),
  ),
  differences: z
    .array(z.object({ arm: z.string(), against: z.string(), ndcg: interval, logLoss: interval }))
    .describe('each arm minus another, event by event'),
});

/** `GET /v1/quality`: what each kind of learning earns. */
export function qualityRoutes(app: FastifyInstance, service: RecommenderService): void {
  app.get(
    '/v1/quality',
    {
      config: { access: ['read', 'admin'] },
      schema: {
        summary: 'What each kind of learning earns, on the newest events, each ranked before it was learned',
        tags: ['operations'],
        response: { 200: jsonSchema(qualityReply, 'output') },
      },
    },
    () => {
      const { k, window, arms, count, unknown } = service.prequential;
      return {
        k,
        window,
        events: count,
        unknown,
        arms: service.prequential.quality(),
        differences: service.prequential.differences(arms.includes('frozen') ? 'frozen' : 'popularity'),
      };
    },
  );
}
