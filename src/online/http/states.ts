import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import { stateQuerySchema, stateReplySchema } from '../../protocol/states.js';
import type { UserNames } from '../privacy/pseudonyms.js';
import type { RecommenderService } from '../service.js';
import { checked } from './requests.js';
import { errorReplies, jsonSchema } from './schemas.js';

/** `GET /v1/state`: what the model knows of a user, numbers that `POST /v1/recommendations` takes in place of events. */
export function stateRoutes(app: FastifyInstance, service: RecommenderService, names: UserNames): void {
  app.get(
    '/v1/state',
    {
      config: { access: ['read'] },
      schema: {
        summary: 'The state that a user’s events have led to',
        tags: ['recommendations'],
        querystring: jsonSchema(stateQuerySchema),
        response: { 200: jsonSchema(stateReplySchema, 'output'), ...errorReplies(400) },
      },
    },
    async (request): Promise<z.output<typeof stateReplySchema>> => {
      const { user } = checked(stateQuerySchema, request.query);
      const { state, ...rest } = await service.state(names.of(user));
      return { requestId: request.id, user, ...rest, state: Array.from(state) };
    },
  );
}
