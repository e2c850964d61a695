import type { z } from 'zod';
import { defectOf } from '../defect.js';
import { invalid } from '../events.js';
import { ReplyError } from '../replies.js';

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
