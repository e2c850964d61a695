import { z } from 'zod';

/** Body of `POST /v1/admin/learning`. */
export const learningActionSchema = z.strictObject({
  action: z
    .enum(['pause', 'resume', 'rollback'])
    .describe(
      'pause: events are not learned any more; resume: they are again; rollback: everything learned is again what it was at the last good snapshot',
    ),
});

export const alertSchema = z.object({
  number: z.number().describe('counts from 1 since the start'),
  time: z.string(),
  kind: z.enum(['quality', 'updates', 'failure', 'drift']),
  message: z.string(),
  position: z.number().describe('the newest journal record at the time'),
  since: z.number().describe('journal record after which the events came that may have to do with it'),
  count: z.number().describe('how many events these are'),
  events: z.array(z.string()).describe('ids of the newest of them, oldest first'),
});

/** Whether the model learns, and what the guard has seen: answer of `/v1/admin/learning`. */
export const learningReplySchema = z.object({
  requestId: z.string(),
  state: z.enum(['learning', 'paused', 'off']),
  reason: z.string().optional().describe('why it pauses'),
  since: z.number().optional().describe('journal record of the pause'),
  learned: z.number().describe('events learned since the base checkpoint'),
  rollbacks: z.number().describe('how often what was learned has been taken back'),
  good: z.number().nullable().describe('journal position of the last good snapshot'),
  alerts: z.array(alertSchema).describe('the newest, oldest first'),
});
