import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { StageContext } from '../../types.js';
import { ReplyError } from '../replies.js';

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
    log('warn', `request failed: ${error.stack ?? error.message}`, { requestId: request.id });
    return send(new ReplyError('INTERNAL', 'the request failed inside the service'), request, reply);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0];
    return send(new ReplyError('NOT_FOUND', `there is no ${request.method} ${path}`), request, reply);
  });
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
  return reply.code(error.status).send({
    code: error.code,
    message: error.message,
    remedy: error.remedy,
    requestId: request.id,
    ...(error.defects.length > 0 ? { errors: error.defects } : {}),
  });
}
