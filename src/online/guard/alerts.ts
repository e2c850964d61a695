import type { z } from 'zod';
import type { alertSchema } from '../../protocol/learning.js';
import type { StageContext } from '../../types.js';

export type AlertKind = z.output<typeof alertSchema>['kind'];

/** Something that a person should look at. */
export interface Alert {
  /** Counts from 1 since the start. */
  readonly number: number;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly kind: AlertKind;
  readonly message: string;
  /** The newest journal record at the time. */
  readonly position: number;
  /** Journal record after which the events came that may have to do with it. */
  readonly since: number;
  /** How many these are, and the ids of the newest of them, oldest first. */
  readonly count: number;
  readonly events: readonly string[];
}

/** An alert as it is sent. */
export const sent = ({ time, events, ...rest }: Alert): z.output<typeof alertSchema> => ({
  ...rest,
  time: new Date(time).toISOString(),
  events: [...events],
});

/** Most alerts remembered. */
const REMEMBERED = 100;

/** The newest alerts, each logged and passed on once. */
export class Alerts {
  private alerts: Alert[] = [];
  private count = 0;

  constructor(
    private readonly log: StageContext['log'],
    private readonly now: () => number,
    private readonly pass: (alert: Alert) => void,
  ) {}

  /** Oldest first. */
  get list(): readonly Alert[] {
    return this.alerts;
  }

  /** Takes ids of events out of what is remembered. */
  forget(gone: (id: string) => boolean): void {
    this.alerts = this.alerts.map((one) => ({ ...one, events: one.events.filter((id) => !gone(id)) }));
  }

  raise(what: Omit<Alert, 'number' | 'time'>): void {
    const alert: Alert = { number: ++this.count, time: this.now(), ...what };
    this.alerts.push(alert);
    if (this.alerts.length > REMEMBERED) this.alerts.shift();
    const { message, ...fields } = alert;
    this.log('warn', `guard: ${message}`, fields);
    this.pass(alert);
  }
}
