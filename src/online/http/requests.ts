import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import { defectOf } from '../defect.js';
import { invalid } from '../events.js';
import { ReplyError } from '../replies.js';

/** Bodies are JSON in UTF-8 alone. Bytes that are not would be read as U+FFFD, so that different ids were one. */
export function readJson(app: FastifyInstance): void {
  app.removeContentTypeParser('text/plain');
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (isUtf8(body)) parse(request, body.toString('utf8'), done);
    else done(new ReplyError('REQUEST_INVALID', 'the body is not UTF-8'));
  });
}

/** A request as its schema has it. @throws ReplyError REQUEST_INVALID with every defect */
export function checked<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalid(parsed.error.issues.map((issue) => defectOf(issue, value)));
  return parsed.data;
}

/** @throws ReplyError REQUEST_INVALID where the query of an address cannot be decoded, which would be taken as it stands */
export function refuseUndecodable(url: string): void {
  const from = url.indexOf('?');
  if (from < 0 || !url.includes('%', from)) return;
  try {
    decodeURIComponent(url.slice(from));
  } catch {
    throw new ReplyError('REQUEST_INVALID', 'the query of the address is not percent-encoded UTF-8');
  }
}
