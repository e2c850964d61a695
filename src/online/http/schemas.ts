import { z } from 'zod';

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

const errorSchema = z
  .object({
    code: z.string(),
    message: z.string(),
    remedy: z.string(),
    requestId: z.string(),
    errors: z
      .array(z.object({ index: z.number().optional(), field: z.string(), message: z.string() }))
      .optional()
      .describe('every defect: index of the event, field, message'),
  })
  .describe('What is wrong, and what to do about it');

/** Error replies of a route, by status. */
export function errorReplies(...statuses: readonly number[]): Record<number, unknown> {
  return Object.fromEntries(statuses.map((status) => [status, jsonSchema(errorSchema, 'output')]));
}
