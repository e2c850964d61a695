import type { FastifyInstance } from 'fastify';
import type { z } from 'zod';
import { RecsysError } from '../../errors.js';
import {
  erasureReplySchema,
  userImpressionsQuerySchema,
  userImpressionsReplySchema,
  userPathSchema,
  userQuerySchema,
  userReplySchema,
} from '../../protocol/users.js';
import type { UserNames } from '../privacy/pseudonyms.js';
import type { UserData } from '../privacy/user-data.js';
import { ReplyError } from '../replies.js';
import type { Security } from '../security/security.js';
import { recorded, refuseStrangers } from './administration.js';
import { checked } from './requests.js';
import { errorReplies, jsonSchema } from './schemas.js';

/** `GET /v1/users/{id}`: everything known of a user, their lists below `/impressions`; `DELETE`: erases them. The audit log names the request, not the user. */
export function userDataRoutes(
  app: FastifyInstance,
  users: UserData,
  names: UserNames,
  security: Security,
): void {
  app.get(
    '/v1/users/:id',
    {
      config: { access: ['admin'] },
      schema: {
        summary: 'Everything known of a user',
        description:
          'Events in the journal, `limit` an answer; history, lists served, weights and attributes.',
        tags: ['users'],
        params: jsonSchema(userPathSchema),
        querystring: jsonSchema(userQuerySchema),
        response: { 200: jsonSchema(userReplySchema, 'output'), ...errorReplies(400, 507) },
      },
    },
    async (request): Promise<z.output<typeof userReplySchema>> => {
      refuseStrangers(request, security);
      const { id: user } = checked(userPathSchema, request.params);
      const { after, limit } = checked(userQuerySchema, request.query);
      await recorded('users.export', request, security, { requestId: request.id });
      const { events, ...known } = await users.known(names.of(user), after, limit);
      const { impressions, ...rest } = known;
      const lists = impressions ? { impressions: [...impressions] } : {};
      return { requestId: request.id, user, events: [...events], ...lists, ...rest };
    },
  );
  app.get(
    '/v1/users/:id/impressions',
    {
      config: { access: ['admin'] },
      schema: {
        summary: 'The lists that were served to a user',
        tags: ['users'],
        params: jsonSchema(userPathSchema),
        querystring: jsonSchema(userImpressionsQuerySchema),
        response: { 200: jsonSchema(userImpressionsReplySchema, 'output'), ...errorReplies(400, 507) },
      },
    },
    async (request): Promise<z.output<typeof userImpressionsReplySchema>> => {
      refuseStrangers(request, security);
      const { id: user } = checked(userPathSchema, request.params);
      const { after, limit } = checked(userImpressionsQuerySchema, request.query);
      await recorded('users.export', request, security, { requestId: request.id });
      const { impressions, next } = await users.impressions(names.of(user), after, limit);
      return { requestId: request.id, user, impressions: [...impressions], next };
    },
  );
  app.delete(
    '/v1/users/:id',
    {
      config: { access: ['admin'] },
      schema: {
        summary: 'Erase a user',
        description:
          'Answered once nothing of the user is held or on the disk. Weights that all share are rebuilt without their events, `rebuilt` says when.',
        tags: ['users'],
        params: jsonSchema(userPathSchema),
        response: { 200: jsonSchema(erasureReplySchema, 'output'), ...errorReplies(400, 503, 507) },
      },
    },
    async (request): Promise<z.output<typeof erasureReplySchema>> => {
      refuseStrangers(request, security);
      const { id: user } = checked(userPathSchema, request.params);
      await recorded('users.erase', request, security, { requestId: request.id });
      try {
        const { residual, ...erasure } = await users.erase(names.of(user));
        return { requestId: request.id, user, erased: true, ...erasure, residual: [...residual] };
      } catch (error) {
        if (!(error instanceof RecsysError)) throw error;
        throw new ReplyError(
          'STORAGE',
          'the erasure could not be completed: ask again, or the next start completes it',
        );
      }
    },
  );
}
