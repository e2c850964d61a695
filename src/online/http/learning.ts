import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { RecsysError } from '../../errors.js';
import { learningActionSchema, learningReplySchema } from '../../protocol/learning.js';
import { sent } from '../guard/alerts.js';
import { ReplyError } from '../replies.js';
import { AuditLog } from '../security/audit.js';
import { isLoopback, type Security } from '../security/security.js';
import type { RecommenderService } from '../service.js';
import { checked } from './requests.js';
import { errorReplies, jsonSchema } from './schemas.js';

/** `GET /v1/admin/learning`: whether the model learns; `POST`: pause, resume, take back. */
export function learningRoutes(app: FastifyInstance, service: RecommenderService, security: Security): void {
  const { guard } = service;
  const view = ({ id }: FastifyRequest): z.output<typeof learningReplySchema> => ({
    requestId: id,
    ...guard.view,
    alerts: guard.alerts.list.map(sent),
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
      await recorded(action, request, security);
      await guard[action]();
      return view(request);
    },
  );
}

/**
 * Without keys, who is on this machine may. A browser on it that was sent here by a name of elsewhere (DNS rebinding) is not.
 * @throws ReplyError FORBIDDEN
 */
function refuseStrangers(request: FastifyRequest, { keys }: Security): void {
  if (keys !== undefined) return;
  if (isLoopback(request.ip) && isLoopback(request.hostname)) return;
  throw new ReplyError('FORBIDDEN', 'without keys this is for this machine alone');
}

/** On the disk before it is done. */
async function recorded(action: string, { apiKey }: FastifyRequest, { keys }: Security): Promise<void> {
  if (keys === undefined || apiKey === undefined) return;
  try {
    const { id, name } = apiKey;
    await AuditLog.beside(keys.file).record(`learning.${action}`, { name }, { key: id });
  } catch (error) {
    if (!(error instanceof RecsysError)) throw error;
    throw new ReplyError('STORAGE', 'the audit log cannot be written; nothing was done');
  }
}
