import { z } from 'zod';
import { errorSchema } from '../../protocol/errors.js';

/** JSON Schema of a zod schema, as fastify and OpenAPI take it. */
export function jsonSchema(schema: z.ZodType, io: 'input' | 'output' = 'input'): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    target: 'draft-7',
    unrepresentable: 'any',
    reused: 'inline',
  });
  return rest;
}

/** Error replies of a route, by status. */
export function errorReplies(...statuses: readonly number[]): Record<number, unknown> {
  return Object.fromEntries(statuses.map((status) => [status, jsonSchema(errorSchema, 'output')]));
}
