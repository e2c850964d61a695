import type { z } from 'zod';
import { defectOf } from '../defect.js';
import { invalid } from '../events.js';

/** A request as its schema has it. @throws ReplyError REQUEST_INVALID with every defect */
export function checked<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalid(parsed.error.issues.map((issue) => defectOf(issue, value)));
  return parsed.data;
}
