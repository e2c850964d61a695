import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { learningActionSchema, learningReplySchema } from '../../protocol/learning.js';
import { sent } from '../guard/alerts.js';
import type { Security } from '../security/security.js';
import type { RecommenderService } from '../service.js';
import { recorded, refuseStrangers } from './administration.js';
import { checked } from './requests.js';
import { errorReplies, jsonSchema } from './schemas.js';

/** `GET /v1/admin/learning`: whether the model learns; `POST`: pause, resume, take back. */
export function learningRoutes(app: FastifyInstance, service: RecommenderService, security: Security): void {
  const view = ({ id }: FastifyRequest): z.output<typeof learningReplySchema> => ({
    requestId: id,
    ...service.guard.view,
    alerts: service.guard.alerts.list.map(sent),
  });
  app.get(
    '/v1/admin/learning',
    {
      config: { access: ['admin'] },
      schema: {
        summary: 'Whether the model learns, and what its guard has seen',
        tags: ['operations'],
        response: { 200: jsonSchema(learningReplySchema, 'output') },
      },
    },
    (request) => {
      refuseStrangers(request, security);
      return view(request);
    },
  );
  app.post(
    '/v1/admin/learning',
    {
      config: { access: ['admin'] },
      schema: {
        summary: 'Pause learning, resume it, or take back what was learned since the last good snapshot',
        description: 'Answered once it has taken effect. Histories and popularity stay as they are.',
        tags: ['operations'],
        body: jsonSchema(learningActionSchema),
        response: { 200: jsonSchema(learningReplySchema, 'output'), ...errorReplies(400, 409, 503, 507) },
      },
    },
    async (request) => {
      refuseStrangers(request, security);
      const { action } = checked(learningActionSchema, request.body);
      await recorded(`learning.${action}`, request, security);
      await service.guard[action]();
      return view(request);
    },
  );
}
