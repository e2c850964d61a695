import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { externalId } from '../events.js';
import type { RecommenderService } from '../service.js';
import { checked, idList } from './requests.js';
import { errorReplies, jsonSchema } from './schemas.js';

const querySchema = z.strictObject({
  user: externalId,
  k: z.coerce.number().int().min(1).max(100).default(1).describe('questions returned'),
  asked: idList.optional().describe('item ids asked about before, answered or not, separated by commas'),
});

const replySchema = z.object({
  requestId: z.string(),
  user: z.string(),
  strategy: z.string().describe('how the questions were chosen; popular where no list is served'),
  items: z.array(z.object({ item: z.string(), title: z.string() })),
});

/** `GET /v1/elicitation`: what to ask a user about. Answers are sent as events. */
export function elicitationRoutes(app: FastifyInstance, service: RecommenderService): void {
  app.get(
    '/v1/elicitation',
    {
      config: { access: ['read'] },
      schema: {
        summary: 'Items to ask a new user about',
        tags: ['recommendations'],
        querystring: jsonSchema(querySchema),
        response: { 200: jsonSchema(replySchema, 'output'), ...errorReplies(400) },
      },
    },
    async (request) => {
      const { user, k, asked = [] } = checked(querySchema, request.query);
      return { requestId: request.id, user, ...service.elicitation.next(user, asked, k) };
    },
  );
}
