import type { FastifyInstance, FastifyReply } from 'fastify';
import type { z } from 'zod';
import {
  type RecommendRequest,
  recommendQuerySchema,
  recommendReplySchema,
  recommendSchema,
} from '../../protocol/recommendations.js';
import type { UserNames } from '../privacy/pseudonyms.js';
import type { RecommenderService } from '../service.js';
import { checked } from './requests.js';
import { errorReplies, jsonSchema } from './schemas.js';

/** `POST /v1/recommendations` and its short form with GET. */
export function recommendationRoutes(
  app: FastifyInstance,
  service: RecommenderService,
  names: UserNames,
): void {
  const response = { 200: jsonSchema(recommendReplySchema, 'output'), ...errorReplies(400, 413, 415, 503) };
  const answer = async (
    { request: { id: requestId }, elapsedTime: waited }: FastifyReply,
    request: RecommendRequest,
  ): Promise<z.output<typeof recommendReplySchema>> => {
    const { user } = request;
    const known = user === undefined ? request : { ...request, user: names.of(user) };
    const { items, unknown, ...rest } = await service.recommend(known, { requestId, waited });
    return {
      requestId,
      ...rest,
      ...(user === undefined ? {} : { user }),
      items: items.map(({ reasons, ...item }) => ({
        ...item,
        ...(reasons ? { reasons: [...reasons] } : {}),
      })),
      unknown: [...unknown],
    };
  };
  app.post(
    '/v1/recommendations',
    {
      config: { access: ['read'] },
      schema: {
        summary: 'Items for a user or a session',
        tags: ['recommendations'],
        body: jsonSchema(recommendSchema),
        response,
      },
    },
    (request, reply) => answer(reply, checked(recommendSchema, request.body)),
  );
  app.get(
    '/v1/recommendations',
    {
      config: { access: ['read'] },
      schema: {
        summary: 'Items for a user',
        tags: ['recommendations'],
        querystring: jsonSchema(recommendQuerySchema),
        response,
      },
    },
    (request, reply) => {
      const { user, k, adapter, behaviour, exclude, includeSeen, reasons, budgetMs } = checked(
        recommendQuerySchema,
        request.query,
      );
      return answer(reply, {
        user,
        includeSeen,
        ...(k === undefined ? {} : { k }),
        ...(adapter === undefined ? {} : { adapter }),
        ...(behaviour === undefined ? {} : { behaviour }),
        ...(exclude === undefined ? {} : { exclude }),
        ...(reasons === undefined ? {} : { reasons }),
        ...(budgetMs === undefined ? {} : { budgetMs }),
      });
    },
  );
}
