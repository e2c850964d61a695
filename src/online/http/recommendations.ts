import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { externalId } from '../events.js';
import { askedBehaviour, type RecommendRequest, recommendSchema } from '../recommend.js';
import type { RecommenderService } from '../service.js';
import { checked, idList } from './requests.js';
import { errorReplies, jsonSchema } from './schemas.js';

const querySchema = z.strictObject({
  user: externalId,
  k: z.coerce.number().int().min(1).max(1000).optional(),
  adapter: z.string().max(64).optional().describe('score with this adapter added to the model'),
  behaviour: askedBehaviour.optional(),
  exclude: idList.optional().describe('item ids, separated by commas'),
  includeSeen: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .default(false),
});

const replySchema = z.object({
  requestId: z.string(),
  user: z.string().optional(),
  items: z.array(z.object({ item: z.string(), title: z.string(), score: z.number() })),
  modelVersion: z.string().describe('<base checkpoint>+<events learned since>'),
  adapter: z.string().optional().describe('the adapter that was asked for'),
  fallback: z.boolean().describe('true: popular items, since nothing is known of the user'),
  unknown: z.array(z.string()).describe('item ids of the request that are not in the catalogue'),
});

/** `POST /v1/recommendations` and its short form with GET. */
export function recommendationRoutes(app: FastifyInstance, service: RecommenderService): void {
  const response = { 200: jsonSchema(replySchema, 'output'), ...errorReplies(400, 413, 415, 503) };
  const answer = async (
    requestId: string,
    request: RecommendRequest,
  ): Promise<z.output<typeof replySchema>> => {
    const { items, unknown, ...rest } = await service.recommend(request);
    return { requestId, ...rest, items: [...items], unknown: [...unknown] };
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
        querystring: jsonSchema(querySchema),
        response,
      },
    },
    (request) => {
      const { user, k, adapter, behaviour, exclude, includeSeen } = checked(querySchema, request.query);
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
