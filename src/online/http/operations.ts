import type { FastifyInstance } from 'fastify';
import type { ServiceMetrics } from '../metrics.js';
import { ReplyError } from '../replies.js';
import type { RecommenderService } from '../service.js';
import { errorReplies } from './schemas.js';

/** `/healthz`, `/readyz` and `/metrics`. */
export function operationRoutes(
  app: FastifyInstance,
  service: RecommenderService,
  metrics: ServiceMetrics,
): void {
  const status = { type: 'object', properties: { status: { type: 'string' } } };
  app.get(
    '/healthz',
    { schema: { summary: 'Whether the process answers', tags: ['operations'], response: { 200: status } } },
    () => ({ status: 'ok' }),
  );
  app.get(
    '/readyz',
    {
      schema: {
        summary: 'Whether requests should be sent here',
        tags: ['operations'],
        response: { 200: status, ...errorReplies(503) },
      },
    },
    () => {
      if (!service.ready) throw new ReplyError('NOT_READY', 'the service is stopping');
      return { status: 'ready' };
    },
  );
  app.get(
    '/metrics',
    { schema: { summary: 'Prometheus metrics', tags: ['operations'], produces: ['text/plain'] } },
    async (_request, reply) =>
      reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
}
