import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import {
  checkpointReplySchema,
  takeCheckpointReplySchema,
  takeCheckpointSchema,
} from '../../protocol/checkpoints.js';
import type { Checkpoints } from '../checkpoints/checkpoints.js';
import type { Security } from '../security/security.js';
import { recorded, refuseStrangers } from './administration.js';
import { bounds } from './intervals.js';
import { checked } from './requests.js';
import { errorReplies, jsonSchema } from './schemas.js';

const URL = '/v1/admin/checkpoint';

/** `GET /v1/admin/checkpoint`: what is served; `POST`: another one is; `POST …/rollback`: the one before is again. */
export function checkpointRoutes(app: FastifyInstance, checkpoints: Checkpoints, security: Security): void {
  app.get(
    URL,
    {
      config: { access: ['admin'] },
      schema: {
        summary: 'Which checkpoint is served, and which was before',
        tags: ['operations'],
        response: { 200: jsonSchema(checkpointReplySchema, 'output') },
      },
    },
    (request) => {
      refuseStrangers(request, security);
      return { requestId: request.id, ...checkpoints.view };
    },
  );
  app.post(
    URL,
    {
      config: { access: ['admin'] },
      schema: {
        summary:
          'Compare a checkpoint with what is served on the newest events, and serve it unless it is worse',
        description:
          'Answered once it is served. Lists are answered meanwhile; events wait for the moment in which the journal changes hands, and none is lost.',
        tags: ['operations'],
        body: jsonSchema(takeCheckpointSchema),
        response: {
          200: jsonSchema(takeCheckpointReplySchema, 'output'),
          ...errorReplies(400, 409, 503, 507),
        },
      },
    },
    async (request): Promise<z.output<typeof takeCheckpointReplySchema>> => {
      refuseStrangers(request, security);
      const wanted = checked(takeCheckpointSchema, request.body);
      await recorded('checkpoint.take', request, security, wanted);
      const { comparison, ...rest } = await checkpoints.take(wanted);
      return {
        requestId: request.id,
        ...checkpoints.view,
        ...rest,
        ...(comparison
          ? {
              comparison: {
                ...comparison,
                served: bounds(comparison.served),
                candidate: bounds(comparison.candidate),
                difference: bounds(comparison.difference),
              },
            }
          : {}),
      };
    },
  );
  app.post(
    `${URL}/rollback`,
    {
      config: { access: ['admin'] },
      schema: {
        summary: 'Serve the checkpoint before again, with what had been learned on it',
        tags: ['operations'],
        response: { 200: jsonSchema(checkpointReplySchema, 'output'), ...errorReplies(409, 503, 507) },
      },
    },
    async (request) => {
      refuseStrangers(request, security);
      await recorded('checkpoint.rollback', request, security);
      await checkpoints.back();
      return { requestId: request.id, ...checkpoints.view };
    },
  );
}
