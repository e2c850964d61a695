import type { FastifyInstance } from 'fastify';
import { qualityReplySchema } from '../../protocol/quality.js';
import type { RecommenderService } from '../service.js';
import { bounds } from './intervals.js';
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
      const { arms, differences, ...rest } = service.prequential.report();
      return {
        requestId: request.id,
        ...rest,
        arms: arms.map(({ arm, ndcg, hr, logLoss }) => ({
          arm,
          ndcg: bounds(ndcg),
          hr: bounds(hr),
          logLoss: bounds(logLoss),
        })),
        differences: differences.map(({ ndcg, logLoss, ...of }) => ({
          ...of,
          ndcg: bounds(ndcg),
          logLoss: bounds(logLoss),
        })),
      };
    },
  );
}
