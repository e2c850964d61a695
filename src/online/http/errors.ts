import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { StageContext } from '../../types.js';
import { ReplyError } from '../replies.js';
import { masked, without } from '../security/mask.js';

const RETRY_AFTER_SECONDS = '1';

const FASTIFY_CODES: Readonly<Record<string, 'BODY_TOO_LARGE' | 'MEDIA_TYPE'>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'MEDIA_TYPE',
};

/** Answers every error as JSON `{code, message, remedy, requestId}`. Stacks go to the log only. */
export function installErrors(app: FastifyInstance, log: StageContext['log']): void {
  app.setErrorHandler((error: FastifyError | ReplyError, request, reply) => {
    const known = asReply(error);
    if (known) return send(known, request, reply);
    const { params, query, body, headers, url, id: requestId } = request;
    const what = without(error.stack ?? error.message, params, query, body, Object.values(headers), url);
    log('warn', `request failed: ${what}`, { requestId });
    return send(new ReplyError('INTERNAL', 'the request failed inside the service'), request, reply);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0];
    return send(new ReplyError('NOT_FOUND', `there is no ${request.method} ${path}`), request, reply);
  });
}

/** What fastify refuses before there is a route, such as an address that cannot be decoded: no hook has run. */
export function refuseEarly(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return send(asReply(error) ?? new ReplyError('REQUEST_INVALID', error.message), request, reply);
}

const CLIENT_ERRORS: Readonly<Record<string, readonly [status: string, message: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request took too long to arrive'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'the headers are too large'],
};

/** Answers what is no HTTP, or came too slowly, where there is no request to reply to; and hangs up. */
export function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] = CLIENT_ERRORS[error.code ?? ''] ?? ['400 Bad Request', 'this is no HTTP request'];
  const body = JSON.stringify({
    code: 'REQUEST_INVALID',
    message,
    remedy: new ReplyError('REQUEST_INVALID', message).remedy,
    requestId: '',
  });
  const headers = [
    'connection: close',
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'x-content-type-options: nosniff',
    'cache-control: no-store',
  ];
  socket.end(`HTTP/1.1 ${status}\r\n${headers.join('\r\n')}\r\n\r\n${body}`);
}

function asReply(error: FastifyError | ReplyError): ReplyError | undefined {
  if (error instanceof ReplyError) return error;
  const code = FASTIFY_CODES[error.code];
  if (code) return new ReplyError(code, error.message);
  const status = error.statusCode ?? 500;
  if (status === 503) return new ReplyError('NOT_READY', 'the service is stopping');
  return status < 500 ? new ReplyError('REQUEST_INVALID', error.message) : undefined;
}

function send(error: ReplyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error.status === 503 || error.status === 507) reply.header('retry-after', RETRY_AFTER_SECONDS);
  const body = {
    code: error.code,
    message: error.message,
    remedy: error.remedy,
    requestId: request.id,
    ...(error.defects.length > 0 ? { errors: error.defects } : {}),
  };
  // A message may quote the request, and a client may have put its key anywhere in it.
  return reply
    .code(error.status)
    .headers(error.headers)
    .type('application/json; charset=utf-8')
    .send(masked(JSON.stringify(body)));
}
