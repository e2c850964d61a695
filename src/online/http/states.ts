import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { BASES } from '../../model/adaptation/basis.js';
import { externalId } from '../events.js';
import type { RecommenderService } from '../service.js';
import { checked } from './requests.js';
import { errorReplies, jsonSchema } from './schemas.js';

const querySchema = z.strictObject({ user: externalId });

const replySchema = z.object({
  requestId: z.string(),
  user: z.string(),
  events: z.number().describe('events of the user that are remembered'),
  basis: z
    .enum(BASES)
    .describe('on what the state rests: events, what is known of the user besides, or nothing'),
  modelVersion: z.string().describe('<base checkpoint>+<events learned since>'),
  state: z.array(z.number()),
});

/** `GET /v1/state`: what the model knows of a user, numbers that `POST /v1/recommendations` takes in place of events. */
export function stateRoutes(app: FastifyInstance, service: RecommenderService): void {
  app.get(
    '/v1/state',
    {
      config: { access: ['read'] },
      schema: {
        summary: 'The state that a user’s events have led to',
        tags: ['recommendations'],
        querystring: jsonSchema(querySchema),
        response: { 200: jsonSchema(replySchema, 'output'), ...errorReplies(400) },
      },
    },
    async (request) => {
      const { user } = checked(querySchema, request.query);
      const { state, ...rest } = await service.state(user);
      return { requestId: request.id, user, ...rest, state: Array.from(state) };
    },
  );
}
