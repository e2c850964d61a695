import type { FastifyInstance } from 'fastify';
import { qualityReplySchema } from '../../protocol/quality.js';
import type { RecommenderService } from '../service.js';
import { jsonSchema } from './schemas.js';

/** `GET /v1/quality`: what each kind of learning earns. */
export function qualityRoutes(app: FastifyInstance, service: RecommenderService): void {
  app.get(
    '/v1/quality',
    {
      config: { access: ['read', 'admin'] },
      schema: {
        summary: 'What each kind of learning earns, on the newest events, each ranked before it was learned',
        tags: ['operations'],
        response: { 200: jsonSchema(qualityReplySchema, 'output') },
      },
    },
    (request) => {
      const { k, window, arms, count, unknown } = service.prequential;
      return {
        requestId: request.id,
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
