import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ServiceMetrics } from '../metrics.js';
import { ReplyError } from '../replies.js';
import { Buckets } from '../security/buckets.js';
import type { Scope, StoredKey } from '../security/keys.js';
import type { Security } from '../security/security.js';
import { bearer } from '../security/token.js';
import { usersOf } from './users.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The scopes of which a request's key needs one; `open`: no key. A route that says nothing needs `admin`. */
    access?: 'open' | readonly Scope[];
  }
  interface FastifyRequest {
    /** The key that the request came with; undefined on open routes and without a key file. */
    apiKey?: StoredKey;
  }
}

/** What a route needs. Unknown routes are open: that there is nothing is no secret. */
function accessOf(request: FastifyRequest): 'open' | readonly Scope[] {
  return request.is404 ? 'open' : (request.routeOptions.config.access ?? ['admin']);
}

/**
 * Lets in who may: a valid key with a scope that the route takes, and less asked than the limits allow. Before the body is read, where the
 * answer does not depend on it.
 * @throws (to the client) UNAUTHENTICATED · FORBIDDEN · RATE_LIMITED
 */
export function installAccess(
  app: FastifyInstance,
  security: Security,
  metrics: ServiceMetrics,
  now: () => number,
): void {
  const { keys, limits } = security;
  const { perKey, perUser, remembered } = limits;
  const callers = perKey && new Buckets(perKey, remembered, now);
  const users = perUser && new Buckets(perUser, remembered, now);

  const refuse = (reason: keyof typeof REASONS, message: string, headers: Record<string, string>): never => {
    metrics.rejected.inc({ reason });
    throw new ReplyError(REASONS[reason], message, [], headers);
  };
  const tooMany = (whose: string, seconds: number): never =>
    refuse('rate', `too much is asked ${whose}`, { 'retry-after': String(Math.max(1, Math.ceil(seconds))) });

  app.addHook('onRequest', async (request: FastifyRequest, _reply: FastifyReply) => {
    const access = accessOf(request);
    const open = access === 'open';
    const { authorization } = request.headers;
    const token = open || keys === undefined ? undefined : bearer(authorization);
    const key = token && (await keys!.find(token));
    if (callers && !(open && !request.is404)) {
      const caller = key ? `key ${key.id}` : `address ${request.ip}`;
      const seconds = callers.wait(caller);
      if (seconds > 0) tooMany(key ? 'with this key' : 'from this address', seconds);
      callers.take(caller);
    }
    if (open || keys === undefined) return;
    if (key === undefined) {
      const said = authorization === undefined ? '' : ', error="invalid_token"';
      refuse('unauthenticated', said ? 'the key is not valid' : 'a key is needed', {
        'www-authenticate': `Bearer realm="recsys"${said}`,
      });
    } else if (!access.some((scope) => key.scopes.includes(scope)))
      refuse('forbidden', `this needs a key with the scope ${access.join(' or ')}`, {
        'www-authenticate': `Bearer realm="recsys", error="insufficient_scope", scope="${access.join(' ')}"`,
      });
    else request.apiKey = key;
  });

  if (users)
    app.addHook('preHandler', async (request: FastifyRequest) => {
      const asked = usersOf(request.query, request.body);
      const seconds = Math.max(0, ...[...asked].map(([user, count]) => users.wait(user, count)));
      if (seconds > 0) tooMany('about this user', seconds);
      for (const [user, count] of asked) users.take(user, count);
    });
}

const REASONS = { unauthenticated: 'UNAUTHENTICATED', forbidden: 'FORBIDDEN', rate: 'RATE_LIMITED' } as const;
