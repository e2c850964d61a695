import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import { clicksReplySchema, clicksRequestSchema } from '../../protocol/clicks.js';
import type { UserNames } from '../privacy/pseudonyms.js';
import { ReplyError } from '../replies.js';
import type { RecommenderService } from '../service.js';
import { checked } from './requests.js';
import { errorReplies, jsonSchema } from './schemas.js';

/** `POST /v1/clicks`: how likely a user is to click items. */
export function clickRoutes(app: FastifyInstance, service: RecommenderService, names: UserNames): void {
  app.post(
    '/v1/clicks',
    {
      config: { access: ['read'] },
      schema: {
        summary: 'How likely a user is to click each of some items',
        tags: ['recommendations'],
        body: jsonSchema(clicksRequestSchema),
        response: {
          200: jsonSchema(clicksReplySchema, 'output'),
          ...errorReplies(400, 404, 413, 415),
        },
      },
    },
    async (request): Promise<z.output<typeof clicksReplySchema>> => {
      const { user, items } = checked(clicksRequestSchema, request.body);
      // Of the service that answers now: another may have taken its place.
      const { clicks } = service;
      if (!clicks)
        throw new ReplyError('NOT_FOUND', 'the service has no click model: `clicks.enabled` is false');
      const probabilities = clicks.probabilities(names.of(user), items);
      return {
        requestId: request.id,
        user,
        items: items.flatMap((item, i) => {
          const probability = probabilities[i];
          return probability === undefined ? [] : [{ item, probability }];
        }),
        unknown: items.filter((_, i) => probabilities[i] === undefined),
      };
    },
  );
}
