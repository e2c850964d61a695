import { RecsysError } from '../errors.js';
import type { RecommendRequest } from '../protocol/recommendations.js';
import type { Catalogue } from '../types.js';
import { type Arms, armsOf, countsOf } from './arms.js';
import type { CheckpointRecord } from './checkpoints/record.js';
import { type Clicks, clicksOf } from './clicks/clicks.js';
import { ComingItems } from './coming-items.js';
import { Elicitation } from './elicitation.js';
import type { OnlineEvent } from './events.js';
import { Guard } from './guard/guard.js';
import { type Adaptations, loadOffsets, offsetsOf } from './guard/learned.js';
import { LearningState } from './guard/learning-state.js';
import { type EventReceipt, Intake } from './intake.js';
import type { Durability } from './journal/options.js';
import type { Journal } from './journal.js';
import type { LearnerState } from './learner.js';
import { Lists } from './lists/lists.js';
import { OpenCatalogue } from './open-catalogue.js';
import { openJournal } from './open-journal.js';
import type { ServicePosition } from './position.js';
import type { Prequential } from './prequential.js';
import { ERASED } from './privacy/erasure-records.js';
import { HeldUsers } from './privacy/held.js';
import { LearnQueue } from './queue.js';
import { RecentIds } from './recent.js';
import { type Recommendation, Recommender } from './recommend.js';
import type { JournalRecord } from './records.js';
import { replayJournal } from './replay.js';
import { ReplyError } from './replies.js';
import type { ServiceOptions } from './service-options.js';
import type { Asked } from './serving.js';
import { ShownLists } from './shown-lists.js';
import { TrainedEvents } from './trained.js';
import { userAdaptation } from './user-adaptation.js';
import { UserHistories } from './users.js';

const DAY_MS = 24 * 3_600_000;
const daysOf = (days: number | undefined): number | undefined => (days === undefined ? days : days * DAY_MS);

/**
 * The recommender behind the HTTP interface. An event is journalled, acknowledged, applied to its user's history in
 * journal order, and learned off the request path.
 */
export class RecommenderService {
  readonly recommender: Recommender;
  readonly elicitation: Elicitation;
  /** How likely clicks are, where that is learned. */
  readonly clicks: Clicks | undefined;
  private readonly arms: Arms;
  private readonly adaptation: Adaptations;
  readonly guard: Guard;
  readonly learningState: LearningState;
  /** What is known of single users. */
  readonly users: HeldUsers;
  /** What was learned in this process, replays included. */
  readonly trained: TrainedEvents;
  private readonly histories: UserHistories;
  private readonly queue: LearnQueue;
  private readonly recent: RecentIds;
  private readonly items: OpenCatalogue;
  private readonly coming: ComingItems;
  private readonly behaviourIndex = new Map<string, number>();
  private readonly intake: Intake;
  private journal!: Journal;
  private lists!: Lists;
  private stopping = false;

  private constructor(private readonly options: ServiceOptions) {
    const { catalogue, learner, metrics, learning, retention } = options;
    this.items = new OpenCatalogue(catalogue, options.known);
    const { base = options.known ?? catalogue.items.length } = options;
    this.coming = new ComingItems(this.items, base, daysOf(retention.itemDays));
    catalogue.behaviours.forEach((behaviour, i) => {
      this.behaviourIndex.set(behaviour, i);
    });
    this.clicks = clicksOf(options, this.items);
    const idle = daysOf(retention.userDays);
    this.histories = new UserHistories(catalogue, retention.history, learner.columns, idle);
    this.recent = new RecentIds(retention.eventIds);
    this.trained = new TrainedEvents();
    this.adaptation = userAdaptation({ ...options, idle });
    this.arms = armsOf({ ...options, watch: (...ranked) => this.guard.watch(...ranked) }, this.adaptation);
    this.learningState = new LearningState(options.guard);
    this.guard = new Guard({
      config: options.guard,
      items: catalogue.items.length - 1,
      window: options.quality.window,
      readsLogLoss: (learning.loss ?? 'softmax') === 'softmax',
      state: this.learningState,
      learner,
      adaptations: this.adaptation,
      clicks: this.clicks,
      recent: this.recent,
      good: options.good,
      alerted: options.alerted,
      enabled: learning.enabled,
      metrics,
      queue: () => this.queue,
      journal: () => this.journal,
      log: (level, message, fields) => options.context.log(level, message, fields),
    });
    this.queue = new LearnQueue({
      learner,
      learning,
      metrics,
      arms: this.arms,
      adaptation: this.adaptation.served,
      clicks: this.clicks,
      trained: this.trained,
      state: this.learningState,
      guard: this.guard,
      log: (level, message, fields) => options.context.log(level, message, fields),
      journal: (records) => this.intake.append(records),
    });
    this.intake = new Intake({
      recent: this.recent,
      lag: () => this.queue.lag,
      limit: learning.queue,
      journal: (records) => this.journal.append(records),
      metrics,
      log: (level, message, fields) => options.context.log(level, message, fields),
    });
    this.recommender = new Recommender({
      catalogue,
      learner,
      histories: this.histories,
      items: this.items,
      behaviourIndex: this.behaviourIndex,
      popularity: countsOf(options),
      ...{ lists: () => this.lists, requests: options.requests, serving: options.serving },
      shown: new ShownLists(learning.negativesFrom === 'shown' ? 10_000 : 0),
      ...{ adaptation: this.adaptation.served, metrics, retrieval: options.retrieval },
      version: () => this.learningState.version(options.baseVersion, this.queue.learned),
      log: (level, message, fields) => options.context.log(level, message, fields),
    });
    this.users = new HeldUsers({
      catalogue,
      directory: options.journal,
      histories: this.histories,
      adaptations: this.adaptation,
      recent: this.recent,
      state: this.learningState,
      guard: this.guard,
      queue: this.queue,
      recommender: this.recommender,
      journal: () => this.journal,
    });
    const { popularity } = this.recommender;
    this.elicitation = new Elicitation(catalogue, this.histories, popularity, options.questions, this.items);
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
    const { from, context, metrics, learner } = this.options;
    this.journal = await openJournal(this.options, (first, records) => {
      for (const [i, record] of records.entries()) this.apply(first + i, record as JournalRecord);
    });
    const { lists, catalogue, serving } = this.options;
    this.lists = await Lists.open(lists, catalogue, this.items, context.log, serving?.exploration);
    this.options.warm?.(this.histories);
    if (from) this.restore(from.state, from.journalId === this.journal.id);
    const { journal, queue, guard } = this;
    await replayJournal(from?.journalId === journal.id ? from.state.position : 0, {
      journal,
      queue,
      guard,
      stored: async (position) => this.options.good?.read(journal.id, position),
      apply: (seq, record) => this.apply(seq, record),
      learns: this.options.learns,
      context,
    });
    if (!this.options.held) queue.release();
    metrics.watch({
      lag: () => this.queue.lag,
      journalPosition: () => this.position,
      journalWritable: () => this.journal.writable,
      users: () => this.histories.size,
      prequential: this.prequential,
    });
    metrics.setModel(learner.name, this.options.baseVersion);
  }

  /** Takes up a snapshot. What another journal's numbers stand for means nothing in this one. */
  private restore(state: ServicePosition, goesOn: boolean): void {
    const { histories, queue, ids, offsets, clicks, learning } = state;
    this.histories.load(histories);
    this.coming.load(state.items);
    loadOffsets(this.adaptation, offsets);
    this.clicks?.load(clicks);
    if (goesOn) {
      this.recent.load(ids);
      this.queue.restore(queue);
      this.guard.load(learning);
      return;
    }
    this.queue.restore({ learned: queue.learned, waiting: [], unrecorded: [] });
    const { length } = queue.waiting;
    if (length > 0)
      this.options.context.log('warn', `${length} events of the snapshot are in histories but not learned`);
  }

  /** Whether it learns weights of each user's own. */
  get adapts(): boolean {
    return this.adaptation.served !== undefined;
  }

  /** What each arm of the quality measurement is at. */
  get prequential(): Prequential {
    return this.arms.prequential;
  }

  get journalId(): string {
    return this.journal.id;
  }

  /** Number of the last journal record. */
  get position(): number {
    return this.journal.lastSeq;
  }

  /** False once the service stops. */
  get ready(): boolean {
    return !this.stopping;
  }

  /** Events acknowledged and not yet learned. */
  get lag(): number {
    return this.queue.lag;
  }

  /** With the items that came, and free rows behind them. */
  get catalogue(): Catalogue {
    return this.options.catalogue;
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
  accept(events: readonly OnlineEvent[]): Promise<EventReceipt[]> {
    if (this.stopping) return Promise.reject(new ReplyError('NOT_READY', 'the service is stopping'));
    return this.intake.accept(this.recommender.shown.with(events));
  }

  /** One record's effect on the state. Runs in journal order, live and in replay alike. */
  private apply(seq: number, record: JournalRecord): void {
    if (record.type === 'erased') this.queue.push({ seq, reason: ERASED, user: '' });
    if (record.type !== 'event') return;
    this.recent.add(record.id, seq);
    const behaviour = this.behaviourIndex.get(record.behaviour);
    const known = this.items.size;
    const { row: item, begins } =
      behaviour === undefined
        ? { row: this.items.get(record.item), begins: false }
        : this.coming.take(record.item);
    if (item === undefined || behaviour === undefined) {
      const reason = item === undefined ? 'unknown item' : 'unknown behaviour';
      this.queue.push({ seq, reason, user: record.user });
      return;
    }
    if (begins) this.forgetItem(item);
    const { type: _, ...event } = record;
    const weight = this.weight(event);
    const query = { ...this.histories.query(event.user), asks: behaviour };
    const example = { seq, event, query, item, behaviour, weight, known };
    this.queue.push(begins ? { ...example, begins } : example);
    this.histories.append(record.user, item, behaviour, record.time, record.value);
    this.coming.passed(record.item, item, record.time);
    const gone = this.histories.passed(record.user, record.time);
    if (gone > 0) this.options.metrics.evicted.inc({ kind: 'history' }, gone);
    this.recommender.named(item);
  }

  /** A row is another item's from now on. */
  private forgetItem(row: number): void {
    this.histories.drop(row);
    this.recommender.popularity[row] = 0;
    this.recommender.lastLists.drop(row);
    this.options.metrics.evicted.inc({ kind: 'item' });
  }

  private weight({ behaviour, value }: OnlineEvent): number {
    const { weights, minimumValue } = this.options.learning;
    if (minimumValue !== undefined && value !== undefined && value < minimumValue) return 0;
    return weights[behaviour] ?? 1;
  }

  recommend(request: RecommendRequest, asked?: Asked): Promise<Recommendation> {
    return this.recommender.recommend(request, asked);
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
    await this.intake.settled();
    await this.options.retrieval?.close();
    await this.queue.stop();
    if (this.queue.settled) return;
    throw new RecsysError(
      'DISK',
      `${this.queue.lag} events are in the journal but could not be learned, or what became of them not be recorded, before the stop`,
    );
  }

  /** The state between two updates, and the learner's in the same moment. All of it is a function of what the disk holds. */
  async snapshot(): Promise<{
    readonly state: ServicePosition;
    /** Without the rows that are free. */
    readonly catalogue: Catalogue;
    readonly learner: LearnerState;
    readonly good: boolean;
  }> {
    const taken = await this.queue.between(async () => {
      const state: ServicePosition = {
        position: this.journal.lastSeq,
        queue: this.queue.state(),
        offsets: offsetsOf(this.adaptation),
        clicks: this.clicks?.snapshot(),
        learning: this.learningState.snapshot(),
        ids: this.recent.snapshot(),
        histories: this.histories.snapshot(),
        items: this.coming.snapshot(),
        popularity: this.recommender.popularity.slice(0, this.items.size),
      };
      const catalogue = this.items.snapshot();
      const learner = await this.options.learner.snapshot(catalogue.items.length);
      return { state, catalogue, good: this.guard.fine, learner };
    });
    await this.journal.flush();
    return taken;
  }

  /** Deletes journal segments that a whole snapshot at `position` made superfluous, as the retention says. */
  async prune(position: number): Promise<number> {
    const { segments, days } = this.options.retention;
    return this.journal.prune(position, { segments, age: daysOf(days) });
  }

  /**
   * Lets go of the journal, so that another service can take it up. Lists go on, from what is known now.
   * @param last the record that it ends with
   * @throws RecsysError DISK where `last` could not be written; the journal is let go of nevertheless
   */
  async handOver(last?: CheckpointRecord): Promise<void> {
    // What could not be learned is in the journal, and the other one's to learn.
    await this.drain().catch((error) => this.options.context.log('warn', String(error)));
    try {
      if (last) await this.journal.append([last]);
    } finally {
      await this.journal.close();
    }
  }

  async close(): Promise<void> {
    this.stopping = true;
    await this.queue.stop();
    await this.journal.close();
    this.options.learner.dispose();
    this.options.frozen?.dispose();
  }
}
