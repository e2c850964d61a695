import type { FastifySchema, RouteOptions } from 'fastify';
import { errorReplies } from './schemas.js';

/** How OpenAPI names the keys; /docs asks for one under "Authorize". */
export const SCHEME = {
  key: {
    type: 'http',
    scheme: 'bearer',
    description: 'rsk_<id>.<secret>, from `recsys serve-online keys create`',
  },
} as const;

/** Adds to a route's description which scopes it takes and how it refuses. */
export function describeAccess({
  schema,
  url,
  route,
}: {
  schema: FastifySchema;
  url: string;
  route: RouteOptions;
}): {
  schema: FastifySchema;
  url: string;
} {
  const access = route.config?.access ?? ['admin'];
  if (access === 'open' || schema === undefined) return { schema, url };
  const own = schema as FastifySchema & { description?: string; response?: object };
  const described = {
    ...own,
    description: `${own.description ?? ''}\n\nScope: ${access.join(' or ')}`.trim(),
    security: [{ key: [] }],
    response: { ...own.response, ...errorReplies(401, 403, 429) },
  };
  return { schema: described, url };
}
