import type { FastifyRequest } from 'fastify';
import { RecsysError } from '../../errors.js';
import { ReplyError } from '../replies.js';
import { AuditLog } from '../security/audit.js';
import { isLoopback, type Security } from '../security/security.js';

/**
 * Without keys, who is on this machine may. A browser on it that was sent here by a name of elsewhere (DNS rebinding) is not.
 * @throws ReplyError FORBIDDEN
 */
export function refuseStrangers(request: FastifyRequest, { keys }: Security): void {
  if (keys !== undefined) return;
  if (isLoopback(request.ip) && isLoopback(request.hostname)) return;
  throw new ReplyError('FORBIDDEN', 'without keys this is for this machine alone');
}

/** On the disk before it is done. @throws ReplyError STORAGE */
export async function recorded(
  action: string,
  { apiKey }: FastifyRequest,
  { keys }: Security,
  what: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  if (keys === undefined || apiKey === undefined) return;
  try {
    const { id, name } = apiKey;
    await AuditLog.beside(keys.file).record(action, { name, ...what }, { key: id });
  } catch (error) {
    if (!(error instanceof RecsysError)) throw error;
    throw new ReplyError('STORAGE', 'the audit log cannot be written; nothing was done');
  }
}
