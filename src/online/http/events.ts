import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { eventsBodySchema, parseEvents } from '../events.js';
import { DURABILITIES } from '../journal/options.js';
import type { RecommenderService } from '../service.js';
import { errorReplies, jsonSchema } from './schemas.js';

const receiptsSchema = z.object({
  accepted: z.number().int(),
  duplicates: z.number().int(),
  durability: z
    .enum(DURABILITIES)
    .describe('what the answer promises: always, the events outlive a power cut; else only a killed process'),
  events: z.array(
    z.object({
      id: z.string(),
      status: z.enum(['accepted', 'duplicate']),
      seq: z.number().int().describe('number in the journal; the first one where the event was sent before'),
    }),
  ),
});

/** `POST /v1/events`: answered once the events are as durable as `durability` says. */
export function eventRoutes(app: FastifyInstance, service: RecommenderService, now: () => number): void {
  app.post(
    '/v1/events',
    {
      config: { access: ['write'] },
      schema: {
        summary: 'Report what users did',
        description:
          'One event, an array, or {events: […]}. All are taken or none; a repeated id is learned once.',
        tags: ['events'],
        body: jsonSchema(eventsBodySchema),
        response: { 200: jsonSchema(receiptsSchema, 'output'), ...errorReplies(400, 413, 415, 503, 507) },
      },
    },
    async (request): Promise<z.output<typeof receiptsSchema>> => {
      const { behaviours, maxEvents, durability } = service;
      const events = await service.accept(parseEvents(request.body, { behaviours, maxEvents, now: now() }));
      const duplicates = events.filter(({ status }) => status === 'duplicate').length;
      return { accepted: events.length - duplicates, duplicates, durability, events };
    },
  );
}
