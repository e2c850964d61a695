import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import { eventsBodySchema, receiptsSchema } from '../../protocol/events.js';
import { parseEvents } from '../events.js';
import type { UserNames } from '../privacy/pseudonyms.js';
import type { RecommenderService } from '../service.js';
import { errorReplies, jsonSchema } from './schemas.js';

/** `POST /v1/events`: answered once the events are as durable as `durability` says. */
export function eventRoutes(
  app: FastifyInstance,
  service: RecommenderService,
  names: UserNames,
  now: () => number,
): void {
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
      const sent = parseEvents(request.body, { behaviours, maxEvents, now: now() });
      const receipts = await service.accept(sent.map((event) => names.event(event)));
      // Under the ids that were sent.
      const events = receipts.map((receipt, i) => ({ ...receipt, id: sent[i]!.id }));
      const duplicates = events.filter(({ status }) => status === 'duplicate').length;
      return { accepted: events.length - duplicates, duplicates, durability, events };
    },
  );
}
