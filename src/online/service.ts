import { RecsysError } from '../errors.js';
import type { RecommendRequest } from '../protocol/recommendations.js';
import type { Catalogue, StageContext } from '../types.js';
import { Elicitation, type Questions } from './elicitation.js';
import type { OnlineEvent } from './events.js';
import type { JournalFiles } from './journal/files.js';
import type { Durability } from './journal/options.js';
import { Journal } from './journal.js';
import type { OnlineLearner } from './learner.js';
import type { ServiceMetrics } from './metrics.js';
import { Prequential } from './prequential.js';
import { LearnQueue } from './queue.js';
import { RecentIds } from './recent.js';
import { type Recommendation, Recommender } from './recommend.js';
import { type JournalRecord, parseRecord } from './records.js';
import { ReplyError } from './replies.js';
import type { LearningConfig, RequestConfig, RetentionConfig } from './schema.js';
import { TrainedEvents } from './trained.js';
import { UserHistories, type UserSnapshot } from './users.js';

/** What a service was when its snapshot was taken: all records up to `position` applied and learned. */
export interface ServicePosition {
  readonly position: number;
  /** Events learned since the base. */
  readonly learned: number;
  readonly histories: UserSnapshot;
  /** Popularity [items + 1], events included. */
  readonly popularity: Float32Array;
}

export interface ServiceOptions {
  readonly catalogue: Catalogue;
  readonly learner: OnlineLearner;
  /** Directory of the journal; held by this process alone. */
  readonly journal: string;
  readonly durability: Durability;
  /** Milliseconds between two syncs with `durability: interval`. */
  readonly syncInterval: number;
  /** Default: the disk. */
  readonly files?: JournalFiles;
  /** Names the base checkpoint in the model version. */
  readonly baseVersion: string;
  readonly learning: LearningConfig;
  readonly retention: RetentionConfig;
  readonly requests: RequestConfig;
  /** What to ask new users about; popular items where there is no list. */
  readonly questions?: Questions | undefined;
  /** Histories known before the first event. */
  readonly warm?: (histories: UserHistories) => void;
  /** Where to go on from, when the learner holds a snapshot's parameters. */
  readonly from?: { readonly journalId: string; readonly state: ServicePosition };
  readonly metrics: ServiceMetrics;
  readonly context: StageContext;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** What a client is told of one of its events. */
export interface EventReceipt {
  readonly id: string;
  readonly status: 'accepted' | 'duplicate';
  /** Number in the journal; a repeated event has its first number. */
  readonly seq: number;
}

/**
 * The recommender behind the HTTP interface. An event is journalled, acknowledged, applied to its user's history in
 * journal order, and learned off the request path.
 */
export class RecommenderService {
  readonly recommender: Recommender;
  readonly elicitation: Elicitation;
  readonly prequential: Prequential;
  /** What was learned in this process, replays included. */
  readonly trained: TrainedEvents;
  private readonly histories: UserHistories;
  private readonly queue: LearnQueue;
  private readonly recent: RecentIds;
  private readonly inFlight = new Map<string, Promise<number>>();
  private readonly itemIndex = new Map<string, number>();
  private readonly behaviourIndex = new Map<string, number>();
  private journal!: Journal;
  private stopping = false;
  /** Recommending only: the last write of the journal failed. */
  private readOnly = false;
  private accepting = 0;

  private constructor(private readonly options: ServiceOptions) {
    const { catalogue, learner, metrics, learning, retention, from } = options;
    catalogue.items.forEach((item, i) => {
      if (i > 0) this.itemIndex.set(item, i);
    });
    catalogue.behaviours.forEach((behaviour, i) => {
      this.behaviourIndex.set(behaviour, i);
    });
    this.histories = new UserHistories(catalogue, retention.history, learner.columns);
    this.recent = new RecentIds(retention.eventIds);
    this.prequential = new Prequential(10, 1000);
    this.trained = new TrainedEvents(catalogue);
    this.queue = new LearnQueue({
      learner,
      learning,
      columns: catalogue.items.length,
      metrics,
      prequential: this.prequential,
      trained: this.trained,
      learned: from?.state.learned ?? 0,
      log: (level, message, fields) => options.context.log(level, message, fields),
      boundary: (through) => this.append([{ type: 'learn', through }]),
    });
    this.recommender = new Recommender({
      catalogue,
      learner,
      histories: this.histories,
      itemIndex: this.itemIndex,
      behaviourIndex: this.behaviourIndex,
      popularity: from ? Float32Array.from(from.state.popularity) : Float32Array.from(catalogue.itemCounts),
      defaultK: options.requests.k,
      metrics,
      version: () => `${options.baseVersion}+${this.queue.learned}`,
      log: (level, message, fields) => options.context.log(level, message, fields),
    });
    const { popularity } = this.recommender;
    this.elicitation = new Elicitation(catalogue, this.histories, popularity, options.questions);
  }

  /** Opens the journal and brings the state up to it: the snapshot, if any, and every record after it. */
  static async start(options: ServiceOptions): Promise<RecommenderService> {
    const service = new RecommenderService(options);
    try {
      await service.open();
    } catch (error) {
      await service.journal?.close();
      throw error;
    }
    return service;
  }

  private async open(): Promise<void> {
    const { journal: directory, retention, from, context, metrics, learner } = this.options;
    const { durability, syncInterval, files } = this.options;
    const { segmentBytes, segmentHours } = retention;
    this.journal = await Journal.open(directory, {
      segmentBytes,
      segmentAge: segmentHours === undefined ? undefined : segmentHours * HOUR_MS,
      durability,
      syncInterval,
      ...(files ? { files } : {}),
      committed: (first, records) => {
        for (const [i, record] of records.entries()) this.apply(first + i, record as JournalRecord);
      },
    });
    const { cut } = this.journal;
    if (cut) {
      context.log(
        'warn',
        `the journal ended in an unfinished write: cut ${cut.bytes} bytes at offset ${cut.offset}`,
        { ...cut },
      );
    }
    this.options.warm?.(this.histories);
    if (from) this.histories.load(from.state.histories);
    await this.replay(from && from.journalId === this.journal.id ? from.state.position : 0);
    metrics.watch({
      lag: () => this.queue.lag,
      journalPosition: () => this.journal.lastSeq,
      journalWritable: () => this.journal.writable,
      users: () => this.histories.size,
      prequential: this.prequential,
    });
    metrics.setModel(learner.name, this.options.baseVersion);
  }

  private async replay(position: number): Promise<void> {
    const { journal, options } = this;
    if (journal.firstSeq > position + 1) {
      throw new RecsysError(
        'JOURNAL_DAMAGED',
        `the journal begins with record ${journal.firstSeq}, and the model served knows records up to ${position} only`,
        {
          remedy:
            'Serve the checkpoint that the service wrote when it was last stopped, or begin with a fresh --state.',
        },
      );
    }
    if (position > journal.lastSeq) {
      throw new RecsysError(
        'JOURNAL_DAMAGED',
        `the snapshot is at record ${position}, but the journal ends at ${journal.lastSeq}`,
      );
    }
    const total = journal.lastSeq - position;
    if (total > 0) options.context.log('info', `replaying ${total} journal records`, { from: position + 1 });
    this.queue.hold();
    let lost = 0;
    for await (const { seq, record: raw } of journal.read()) {
      const record = parseRecord(seq, raw);
      if (seq <= position) {
        if (record.type === 'event') this.recent.add(record.id, seq);
        continue;
      }
      if (options.context.signal.aborted)
        throw new RecsysError('INTERRUPTED', 'stopped while replaying the journal');
      this.apply(seq, record);
      if (record.type === 'lost') lost++;
      if (record.type === 'learn') await this.queue.replay(record.through);
      if (seq % 1000 === 0) options.context.progress({ task: 'replay', done: seq - position, total });
    }
    if (lost > 0) options.context.log('warn', `${lost} journal records were lost before a repair`, { lost });
    this.queue.release();
  }

  get journalId(): string {
    return this.journal.id;
  }

  /** False once the service stops. */
  get ready(): boolean {
    return !this.stopping;
  }

  /** Events acknowledged and not yet learned. */
  get lag(): number {
    return this.queue.lag;
  }

  get behaviours(): readonly string[] {
    return this.options.catalogue.behaviours;
  }

  /** What it means that an event was accepted. */
  get durability(): Durability {
    return this.options.durability;
  }

  get maxEvents(): number {
    return this.options.requests.maxEvents;
  }

  /**
   * Makes events durable, all or none, and answers one receipt an event. Resolves when they are in the journal and in
   * their users' histories.
   * @throws ReplyError LEARNER_BEHIND, NOT_READY or STORAGE; then none is in the journal.
   */
  async accept(events: readonly OnlineEvent[]): Promise<EventReceipt[]> {
    if (this.stopping) throw new ReplyError('NOT_READY', 'the service is stopping');
    const waiting = this.queue.lag + this.accepting;
    if (waiting + events.length > this.options.learning.queue) {
      throw new ReplyError('LEARNER_BEHIND', `${waiting} events wait to be learned`);
    }
    const fresh = new Map<string, OnlineEvent>();
    const repeated = new Set<number>();
    for (const [i, event] of events.entries()) {
      const known =
        fresh.has(event.id) || this.inFlight.has(event.id) || this.recent.get(event.id) !== undefined;
      if (known) repeated.add(i);
      else fresh.set(event.id, event);
    }
    // A request of nothing but known events writes nothing, but must not overtake the one that brought them.
    const first = fresh.size > 0 ? this.journalEvents([...fresh.values()]) : undefined;
    const others = events.filter((e) => !fresh.has(e.id)).map((e) => this.inFlight.get(e.id));
    await Promise.all([first, ...others]);
    const { received } = this.options.metrics;
    if (fresh.size > 0) received.inc({ result: 'accepted' }, fresh.size);
    if (repeated.size > 0) received.inc({ result: 'duplicate' }, repeated.size);
    return events.map((event, i) => ({
      id: event.id,
      status: repeated.has(i) ? 'duplicate' : 'accepted',
      seq: this.recent.get(event.id)!,
    }));
  }

  private async journalEvents(events: readonly OnlineEvent[]): Promise<number> {
    const written = this.append(events.map((event) => ({ type: 'event', ...event })));
    for (const event of events) this.inFlight.set(event.id, written);
    this.accepting += events.length;
    try {
      return await written;
    } finally {
      this.accepting -= events.length;
      for (const event of events) this.inFlight.delete(event.id);
    }
  }

  private async append(records: readonly JournalRecord[]): Promise<number> {
    const { log } = this.options.context;
    try {
      const seq = await this.journal.append(records);
      if (this.readOnly) log('info', 'the journal can be written again: events are taken');
      this.readOnly = false;
      return seq;
    } catch (error) {
      if (!(error instanceof RecsysError)) throw error;
      if (!this.readOnly)
        log('warn', `the journal cannot be written, events are refused until it can: ${error.message}`);
      this.readOnly = true;
      throw new ReplyError(
        'STORAGE',
        'events cannot be made durable at the moment; none of this request was taken',
      );
    }
  }

  /** One record's effect on the state. Runs in journal order, live and in replay alike. */
  private apply(seq: number, record: JournalRecord): void {
    if (record.type !== 'event') return;
    this.recent.add(record.id, seq);
    const item = this.itemIndex.get(record.item);
    const behaviour = this.behaviourIndex.get(record.behaviour);
    if (item === undefined || behaviour === undefined) {
      const reason = item === undefined ? 'unknown item' : 'unknown behaviour';
      this.options.metrics.outcomes.inc({ outcome: 'skipped', reason });
      return;
    }
    const { type: _, ...event } = record;
    const weight = this.weight(event);
    const query = { ...this.histories.query(event.user), asks: behaviour };
    this.queue.push({ seq, event, query, item, behaviour, weight });
    this.histories.append(record.user, item, behaviour, record.time, record.value);
    this.recommender.popularity[item]! += 1;
  }

  private weight({ behaviour, value }: OnlineEvent): number {
    const { weights, minimumValue } = this.options.learning;
    if (minimumValue !== undefined && value !== undefined && value < minimumValue) return 0;
    return weights[behaviour] ?? 1;
  }

  recommend(request: RecommendRequest): Promise<Recommendation> {
    return this.recommender.recommend(request);
  }

  /** What the model knows of a user. */
  state(user: string): ReturnType<Recommender['state']> {
    return this.recommender.state(user);
  }

  /** Resolves when every acknowledged event is learned. */
  idle(): Promise<void> {
    return this.queue.idle();
  }

  /**
   * Refuses new events and waits until all acknowledged ones are learned. Recommendations go on.
   * @throws RecsysError DISK where the journal could not be written: the events in it are learned at the next start.
   */
  async drain(): Promise<void> {
    this.stopping = true;
    await Promise.allSettled(this.inFlight.values());
    await this.queue.stop();
    // A snapshot must not be ahead of the journal that is on the disk.
    await this.journal.flush();
    if (this.queue.lag === 0) return;
    throw new RecsysError(
      'DISK',
      `${this.queue.lag} events are in the journal but could not be learned before the stop`,
    );
  }

  /** The state at the journal's end. Only after `drain`. */
  position(): ServicePosition {
    return {
      position: this.journal.lastSeq,
      learned: this.queue.learned,
      histories: this.histories.snapshot(),
      popularity: this.recommender.popularity,
    };
  }

  /** Deletes journal segments that a whole snapshot at `position` made superfluous, as the retention says. */
  async prune(position: number): Promise<number> {
    const { segments, days } = this.options.retention;
    return this.journal.prune(position, { segments, age: days === undefined ? undefined : days * DAY_MS });
  }

  async close(): Promise<void> {
    this.stopping = true;
    await this.queue.stop();
    await this.journal.close();
    this.options.learner.dispose();
  }
}
