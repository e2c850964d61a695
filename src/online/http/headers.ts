import type { FastifyReply, FastifyRequest } from 'fastify';

/** On every reply. Replies of the API are for programs: they may run nothing, be shown in no frame, and be kept by no cache. */
const API: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

/** The pages of /docs run their own scripts alone, and ask this service alone. Swagger UI sets styles in its elements. */
const PAGES = {
  ...API,
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
};

/** The page at / runs and loads nothing but files of this service, and asks this service alone. */
const DASHBOARD = {
  ...API,
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
};

const TLS = { 'strict-transport-security': 'max-age=31536000' };

/** Headers that a reply carries whatever comes of the request: its id, and what browsers are told. */
export function setHeaders(request: FastifyRequest, reply: FastifyReply, tls: boolean): void {
  reply.header('x-request-id', request.id);
  const own = /^\/docs(?:[/?]|$)/.test(request.url)
    ? PAGES
    : /^\/(?:assets\/|\?|$)/.test(request.url)
      ? DASHBOARD
      : API;
  reply.headers({ ...own, ...(tls ? TLS : {}) });
}
