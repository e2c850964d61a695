import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { StageContext } from '../../types.js';
import { type Alert, sent } from './alerts.js';

/** Where alerts are sent. */
export const alertsSchema = z
  .strictObject({
    webhook: z
      .url({ protocol: /^https?$/, abort: true })
      .refine(
        (url) => new URL(url).username === '' && new URL(url).password === '',
        'has a user or a password',
      )
      .optional()
      .describe('address that each alert is sent to as JSON; absent: none'),
    timeout: z
      .number()
      .int()
      .min(100)
      .max(60_000)
      .default(5000)
      .describe('milliseconds that one try may take'),
    tries: z
      .number()
      .int()
      .min(1)
      .max(10)
      .default(4)
      .describe('how often an alert is sent until it is taken'),
  })
  .prefault({})
  .describe('where alerts are sent');
export type AlertsConfig = z.output<typeof alertsSchema>;

/** Settings without what an address may hold that is secret: its path and query. For files and logs. */
export function withoutSecrets({ webhook, ...rest }: AlertsConfig): AlertsConfig {
  return { ...rest, ...(webhook === undefined ? {} : { webhook: originOf(webhook) }) };
}

const originOf = (url: string): string => new URL(url).origin;

/** Most alerts that wait; beyond, the oldest are dropped. */
const WAITING = 100;
const FIRST_DELAY_MS = 1000;

/**
 * Sends alerts to an address of the settings, one after the other, away from learning and requests. Redirects are not followed, and answers not
 * read. An alert that could not be sent is in the log.
 */
export class Webhook {
  private readonly waiting: Alert[] = [];
  private readonly stop = new AbortController();
  private working: Promise<void> | undefined;

  constructor(
    private readonly url: string,
    private readonly config: Pick<AlertsConfig, 'timeout' | 'tries'>,
    private readonly log: StageContext['log'],
    private readonly firstDelay = FIRST_DELAY_MS,
  ) {}

  /** Returns at once. */
  send(alert: Alert): void {
    this.waiting.push(alert);
    if (this.waiting.length > WAITING) this.waiting.shift();
    this.working ??= this.work().finally(() => {
      this.working = undefined;
    });
  }

  /** Resolves when nothing waits to be sent. */
  async idle(): Promise<void> {
    await this.working;
  }

  /** Gives up what has not been sent. */
  async close(): Promise<void> {
    this.waiting.length = 0;
    this.stop.abort();
    await this.working;
  }

  private async work(): Promise<void> {
    for (let alert = this.waiting.shift(); alert; alert = this.waiting.shift()) {
      const failed = await this.deliver(alert);
      if (failed === undefined) continue;
      // Of the address its host alone: the path of a webhook is often its secret.
      this.log('warn', `alert ${alert.number} could not be sent to ${originOf(this.url)}: ${failed}`);
    }
  }

  /** @returns why it failed, if it did */
  private async deliver(alert: Alert): Promise<string | undefined> {
    let failed: string | undefined;
    for (let n = 0; n < this.config.tries && !this.stop.signal.aborted; n++) {
      if (n > 0) {
        const delay = this.firstDelay * 2 ** (n - 1);
        await sleep(delay, undefined, { signal: this.stop.signal }).catch(() => undefined);
      }
      failed = await this.attempt(alert);
      if (failed === undefined) return undefined;
    }
    return failed ?? 'the service stops';
  }

  private async attempt(alert: Alert): Promise<string | undefined> {
    try {
      const reply = await fetch(this.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ text: `recsys: ${alert.message}`, alert: sent(alert) }),
        redirect: 'manual',
        signal: AbortSignal.any([this.stop.signal, AbortSignal.timeout(this.config.timeout)]),
      });
      await reply.body?.cancel();
      return reply.ok ? undefined : `it answered ${reply.status}`;
    } catch (error) {
      // The message may quote the address.
      return error instanceof Error && error.name === 'TimeoutError'
        ? 'no answer in time'
        : 'it cannot be reached';
    }
  }
}
