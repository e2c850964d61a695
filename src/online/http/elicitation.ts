import type { FastifyInstance } from 'fastify';
import { elicitationQuerySchema, elicitationReplySchema } from '../../protocol/elicitation.js';
import type { UserNames } from '../privacy/pseudonyms.js';
import type { RecommenderService } from '../service.js';
import { checked } from './requests.js';
import { errorReplies, jsonSchema } from './schemas.js';

/** `GET /v1/elicitation`: what to ask a user about. Answers are sent as events. */
export function elicitationRoutes(app: FastifyInstance, service: RecommenderService, names: UserNames): void {
  app.get(
    '/v1/elicitation',
    {
      config: { access: ['read'] },
      schema: {
        summary: 'Items to ask a new user about',
        tags: ['recommendations'],
        querystring: jsonSchema(elicitationQuerySchema),
        response: { 200: jsonSchema(elicitationReplySchema, 'output'), ...errorReplies(400) },
      },
    },
    async (request) => {
      const { user, k, asked = [] } = checked(elicitationQuerySchema, request.query);
      return { requestId: request.id, user, ...service.elicitation.next(names.of(user), asked, k) };
    },
  );
}
