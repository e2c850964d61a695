import type { FastifyInstance } from 'fastify';
import type { ServiceMetrics } from '../metrics.js';
import { ReplyError } from '../replies.js';
import type { RecommenderService } from '../service.js';
import { errorReplies } from './schemas.js';

/**
 * `/healthz`, `/readyz` and `/metrics`. The first two are open: what probes a service (a load balancer, Kubernetes) has no key, and learns
 * one word. The metrics need `read` or `admin`: they tell how much a business is visited.
 */
export function operationRoutes(
  app: FastifyInstance,
  service: RecommenderService,
  metrics: ServiceMetrics,
): void {
  const status = { type: 'object', properties: { status: { type: 'string' } } };
  app.get(
    '/healthz',
    {
      config: { access: 'open' },
      schema: { summary: 'Whether the process answers', tags: ['operations'], response: { 200: status } },
    },
    () => ({ status: 'ok' }),
  );
  app.get(
    '/readyz',
    {
      config: { access: 'open' },
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
    {
      config: { access: ['read', 'admin'] },
      schema: { summary: 'Prometheus metrics', tags: ['operations'], produces: ['text/plain'] },
    },
    async (_request, reply) =>
      reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
}
