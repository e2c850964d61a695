import type { FastifyInstance } from 'fastify';
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
    requestId: string,
    request: RecommendRequest,
  ): Promise<z.output<typeof recommendReplySchema>> => {
    const { user } = request;
    const known = user === undefined ? request : { ...request, user: names.of(user) };
    const { items, unknown, ...rest } = await service.recommend(known);
    return {
      requestId,
      ...rest,
      ...(user === undefined ? {} : { user }),
      items: [...items],
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
    (request) => answer(request.id, checked(recommendSchema, request.body)),
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
    (request) => {
      const { user, k, adapter, behaviour, exclude, includeSeen } = checked(
        recommendQuerySchema,
        request.query,
      );
      return answer(request.id, {
        user,
        includeSeen,
        ...(k === undefined ? {} : { k }),
        ...(adapter === undefined ? {} : { adapter }),
        ...(behaviour === undefined ? {} : { behaviour }),
        ...(exclude === undefined ? {} : { exclude }),
      });
    },
  );
}
