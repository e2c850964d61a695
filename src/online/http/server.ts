import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fastify, { type FastifyInstance } from 'fastify';
import { RecsysError } from '../../errors.js';
import type { StageContext } from '../../types.js';
import type { Checkpoints } from '../checkpoints/checkpoints.js';
import type { ServiceMetrics } from '../metrics.js';
import { OWN_NAMES, type UserNames } from '../privacy/pseudonyms.js';
import type { UserData } from '../privacy/user-data.js';
import type { Security } from '../security/security.js';
import type { RecommenderService } from '../service.js';
import { installAccess } from './access.js';
import { checkpointRoutes } from './checkpoints.js';
import { clickRoutes } from './clicks.js';
import { hangUpOnClose } from './closing.js';
import { dashboardRoutes } from './dashboard.js';
import { describeAccess, SCHEME } from './description.js';
import { elicitationRoutes } from './elicitation.js';
import { installErrors, refuseEarly, refuseUnreadable } from './errors.js';
import { eventRoutes } from './events.js';
import { setHeaders } from './headers.js';
import { learningRoutes } from './learning.js';
import { operationRoutes } from './operations.js';
import { qualityRoutes } from './quality.js';
import { recommendationRoutes } from './recommendations.js';
import { readJson, refuseUndecodable } from './requests.js';
import { stateRoutes } from './states.js';
import { TIMEOUTS, type Timeouts } from './timeouts.js';
import { userDataRoutes } from './user-data.js';

export interface ServerOptions {
  readonly service: RecommenderService;
  readonly metrics: ServiceMetrics;
  /** Absent: what is known of users is neither told nor erased. */
  readonly users?: UserData | undefined;
  /** Absent: no other checkpoint is taken up. */
  readonly checkpoints?: Checkpoints | undefined;
  /** Under which names the service knows users; absent: by the ids that requests have. */
  readonly names?: UserNames;
  readonly version: string;
  readonly bodyBytes: number;
  readonly log: StageContext['log'];
  /** Milliseconds since the epoch: the time of events that come without one. */
  readonly now: () => number;
  /** Absent: everyone is let in, over HTTP, without limits. */
  readonly security?: Security;
  readonly timeouts?: Timeouts;
}

/** The HTTP interface of a service; not yet listening. */
export async function buildServer(options: ServerOptions): Promise<FastifyInstance> {
  const { service, metrics, log, timeouts = TIMEOUTS, security = { limits: { remembered: 1 } } } = options;
  const { tls } = security;
  const { names = OWN_NAMES } = options;
  const ofNode = { headersTimeout: timeouts.headers, connectionsCheckingInterval: timeouts.check };
  const app = fastify({
    logger: false,
    bodyLimit: options.bodyBytes,
    requestTimeout: timeouts.request,
    keepAliveTimeout: timeouts.keepAlive,
    // What comes on open connections while it closes is answered as ever: an event with NOT_READY, a list with a list.
    return503OnClosing: false,
    ...(tls ? { https: { ...ofNode, ...tls } } : { http: ofNode }),
    genReqId: () => randomUUID(),
    frameworkErrors: (error, request, reply) => {
      setHeaders(request, reply, tls !== undefined);
      return refuseEarly(error, request, reply);
    },
    clientErrorHandler: refuseUnreadable,
    // Requests are checked by the zod schemas the documented JSON Schemas come from.
    // The longest id, percent-encoded.
    routerOptions: { maxParamLength: 256 * 12 },
  });
  hangUpOnClose(app, tls !== undefined, timeouts.request);
  readJson(app);
  app.setValidatorCompiler(() => (value) => ({ value }));
  app.addHook('onRequest', async (request, reply) => {
    setHeaders(request, reply, tls !== undefined);
  });
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    const seconds = reply.elapsedTime / 1000;
    metrics.latency.observe({ method: request.method, route, status: String(reply.statusCode) }, seconds);
    log('debug', 'request', {
      requestId: request.id,
      method: request.method,
      route,
      status: reply.statusCode,
      seconds,
    });
  });
  installErrors(app, log);
  installAccess(app, security, metrics, options.now);
  app.addHook('onRequest', async ({ url }) => refuseUndecodable(url));
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'recsys',
        description: 'Recommendations that learn from every event.',
        version: options.version,
      },
      tags: ['events', 'recommendations', 'operations', 'users'].map((name) => ({ name })),
      ...(security.keys ? { components: { securitySchemes: SCHEME } } : {}),
    },
    ...(security.keys ? { transform: describeAccess } : {}),
  });
  // The description is of the code, the same for every service, and holds no data: open, so that a client can be written before it has a key.
  await app.register(async (pages) => {
    pages.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: 'open' };
    });
    await pages.register(swaggerUi, { routePrefix: '/docs' });
  });
  // A plugin of its own, so that the routes come after swagger is there to see them.
  await app.register(async (routes) => {
    eventRoutes(routes, service, names, options.now);
    recommendationRoutes(routes, service, names);
    elicitationRoutes(routes, service, names);
    clickRoutes(routes, service, names);
    stateRoutes(routes, service, names);
    operationRoutes(routes, service, metrics);
    qualityRoutes(routes, service);
    dashboardRoutes(routes, options.version);
    learningRoutes(routes, service, security);
    if (options.checkpoints) checkpointRoutes(routes, options.checkpoints, security);
    if (options.users) userDataRoutes(routes, options.users, names, security);
  });
  await app.ready();
  return app;
}

/**
 * Listens and gives the URL.
 * @throws RecsysError PORT_IN_USE, or ENVIRONMENT where the address cannot be had
 */
export async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    throw refused(error, host, port);
  }
}

/**
 * Opens an address and lets it go: one that cannot be had is found before anything is written or replayed for it.
 * @throws what `listen` throws
 */
export async function tryAddress(host: string, port: number): Promise<void> {
  const server = createServer();
  try {
    server.listen({ host, port });
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
  } catch (error) {
    throw refused(error, host, port);
  }
}

function refused(error: unknown, host: string, port: number): RecsysError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'EADDRINUSE') {
    return new RecsysError('PORT_IN_USE', `${host}:${port} is in use by another process`, { cause: error });
  }
  const remedy = 'Choose an address of this machine with --host and a port this user may open with --port.';
  return new RecsysError('ENVIRONMENT', `cannot listen on ${host}:${port}: ${code || String(error)}`, {
    remedy,
    cause: error,
  });
}
