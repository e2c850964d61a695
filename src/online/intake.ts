import { RecsysError } from '../errors.js';
import type { StageContext } from '../types.js';
import type { OnlineEvent } from './events.js';
import type { ServiceMetrics } from './metrics.js';
import type { RecentIds } from './recent.js';
import type { JournalRecord } from './records.js';
import { ReplyError } from './replies.js';

/** What a client is told of one of its events. */
export interface EventReceipt {
  readonly id: string;
  readonly status: 'accepted' | 'duplicate';
  /** Number in the journal; a repeated event has its first number. */
  readonly seq: number;
}

export interface IntakeOptions {
  /** Ids of events in the journal, with their numbers: filled before an append resolves. */
  readonly recent: RecentIds;
  /** Events in the journal that wait to be learned. */
  lag(): number;
  /** Most events that may wait. */
  readonly limit: number;
  /** Appends records; resolves with the first one's number when they are durable. @throws RecsysError */
  journal(records: readonly JournalRecord[]): Promise<number>;
  readonly metrics: ServiceMetrics;
  readonly log: StageContext['log'];
}

/** The way of events into the journal: each once, however often it is sent. */
export class Intake {
  /** Events being written: number of the first record of their request, and which of its events each is. */
  private readonly inFlight = new Map<string, { readonly first: Promise<number>; readonly at: number }>();
  private accepting = 0;
  /** The last append failed. */
  private failing = false;

  constructor(private readonly options: IntakeOptions) {}

  /**
   * Makes events durable, all or none, and answers one receipt an event.
   * @throws ReplyError LEARNER_BEHIND or STORAGE; then none is in the journal.
   */
  async accept(events: readonly OnlineEvent[]): Promise<EventReceipt[]> {
    const { recent, limit, metrics } = this.options;
    const waiting = this.options.lag() + this.accepting;
    if (waiting + events.length > limit) {
      throw new ReplyError('LEARNER_BEHIND', `${waiting} events wait to be learned`);
    }
    const fresh = new Map<string, OnlineEvent>();
    const repeated = new Set<number>();
    // Taken now: by the time all is written the oldest ids may be forgotten again.
    const known = new Map<string, number>();
    for (const [i, event] of events.entries()) {
      const { id } = event;
      const seq = recent.get(id);
      if (seq !== undefined) known.set(id, seq);
      if (seq !== undefined || fresh.has(id) || this.inFlight.has(id)) repeated.add(i);
      else fresh.set(id, event);
    }
    // A request of nothing but known events writes nothing, but must not overtake the one that brought them.
    const written = fresh.size > 0 ? this.journalEvents([...fresh.values()]) : undefined;
    const numbers = events.map(async ({ id }) => {
      const { first, at } = this.inFlight.get(id) ?? { first: known.get(id)!, at: 0 };
      return (await first) + at;
    });
    const [seqs] = await Promise.all([Promise.all(numbers), written]);
    const { received } = metrics;
    if (fresh.size > 0) received.inc({ result: 'accepted' }, fresh.size);
    if (repeated.size > 0) received.inc({ result: 'duplicate' }, repeated.size);
    return events.map((event, i) => ({
      id: event.id,
      status: repeated.has(i) ? 'duplicate' : 'accepted',
      seq: seqs[i]!,
    }));
  }

  /** Appends records of the service itself. @throws ReplyError STORAGE */
  async append(records: readonly JournalRecord[]): Promise<number> {
    const { journal, log } = this.options;
    try {
      const seq = await journal(records);
      if (this.failing) log('info', 'the journal can be written again: events are taken');
      this.failing = false;
      return seq;
    } catch (error) {
      if (!(error instanceof RecsysError)) throw error;
      if (!this.failing)
        log('warn', `the journal cannot be written, events are refused until it can: ${error.message}`);
      this.failing = true;
      throw new ReplyError(
        'STORAGE',
        'events cannot be made durable at the moment; none of this request was taken',
      );
    }
  }

  /** Resolves when every event taken so far is in the journal or refused. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.inFlight.values()].map(({ first }) => first));
  }

  private async journalEvents(events: readonly OnlineEvent[]): Promise<number> {
    const written = this.append(events.map((event) => ({ type: 'event', ...event })));
    for (const [at, event] of events.entries()) this.inFlight.set(event.id, { first: written, at });
    this.accepting += events.length;
    try {
      return await written;
    } finally {
      this.accepting -= events.length;
      for (const event of events) this.inFlight.delete(event.id);
    }
  }
}
