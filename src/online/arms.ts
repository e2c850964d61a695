import { Random } from '../random.js';
import type { Catalogue, Query, StageContext } from '../types.js';
import type { FrozenModel, LearnExample, OnlineLearner } from './learner.js';
import { MOST_TOGETHER } from './micro-batch.js';
import { logLossOf, Prequential, type Ranked, rankOf } from './prequential.js';
import { ERASED } from './privacy/erasure-records.js';
import type { QualityConfig } from './schema.js';
import { turn } from './turn.js';
import type { UserAdaptation } from './user-adaptation.js';
import type { QueueState, WaitingEvent } from './waiting.js';

/** A way to rank: scores [queries × columns] of users as they were before their events. */
interface Scoring {
  readonly columns: number;
  score(queries: readonly Query[], users: readonly string[]): Promise<Float32Array>;
}

export interface ArmsOptions {
  /** [items + 1] interactions by item before the first event that will be measured. Taken over. */
  readonly popularity: Float32Array;
  /** The model as it was when it was first served, reading live histories. */
  readonly frozen?: Scoring | undefined;
  /** The same with what was learned of each user. */
  readonly adapted?: (Scoring & Pick<UserAdaptation, 'learn' | 'restart'>) | undefined;
  /** What is served. */
  readonly learned: Scoring;
  /** Whether items of the history are in the lists that are measured. */
  readonly includeSeen: boolean;
  /** Whose events are measured. */
  measures(user: string): boolean;
  readonly window: number;
  readonly log: StageContext['log'];
  /** Told of every event that is ranked: how what is served did, and the frozen model where there is one. */
  readonly watch?: Watch | undefined;
}

export type Watch = (event: LearnExample, served: Ranked, frozen: Ranked | undefined) => void;

/** What of a service its arms are made from. */
interface ArmsSource {
  readonly catalogue: Pick<Catalogue, 'itemCounts'>;
  readonly learner: Pick<OnlineLearner, 'score'>;
  readonly frozen?: FrozenModel | undefined;
  readonly quality: QualityConfig;
  readonly watch?: Watch;
  readonly context: Pick<StageContext, 'log'>;
  readonly from?:
    | { readonly state: { readonly popularity: Float32Array; readonly queue: QueueState } }
    | undefined;
}

const K = 10;
/** Events ranked together, as many as the answers of a model are made ready for; requests have their turn after each arm's. */
const SLICE = MOST_TOGETHER;
/** Events whose ranks are looked up between two turns. */
const RANKS = 4;
const NONE = new Int32Array(0);
const MISS: Ranked = { rank: Number.POSITIVE_INFINITY, logLoss: Number.NaN };

/**
 * What each kind of learning earns, on one stream of events: popularity updated live; the model as it was, with live histories; that with what
 * was learned of each user; and the model as served, whose shared weights have learned, too. An arm that fails is logged: what is served must not
 * depend on whether, and with what luck, it is measured.
 */
export class Arms {
  readonly prequential: Prequential;
  private readonly scorings: readonly Scoring[];
  private failing = false;

  constructor(private readonly options: ArmsOptions) {
    const { frozen, adapted, learned, window } = options;
    const present = Object.entries({ frozen, adapted, learned }).filter(
      ([, scoring]) => scoring !== undefined,
    );
    this.scorings = present.map(([, scoring]) => scoring!);
    this.prequential = new Prequential(K, window, ['popularity', ...present.map(([name]) => name)]);
  }

  /** Ranks each event's item as each arm's list stood before the batch. Items already seen are not in it unless lists hold them. */
  measure(batch: readonly WaitingEvent[]): Promise<void> {
    return this.aside(() => this.ranked(batch));
  }

  /** Rows have become other items'. */
  restart(rows: readonly number[]): void {
    for (const row of rows) this.options.popularity[row] = 0;
    this.options.adapted?.restart(rows);
  }

  /** Counts the batch's items, and adapts the arm that has adapted to their users. */
  async learn(batch: readonly WaitingEvent[], wanted: readonly LearnExample[]): Promise<void> {
    for (const event of batch) if ('item' in event) this.options.popularity[event.item]! += 1;
    const { adapted } = this.options;
    if (!adapted) return;
    const known = wanted.filter(({ item }) => item < adapted.columns);
    if (known.length > 0) await this.aside(() => adapted.learn(known));
  }

  /** What is measured is no part of the state: a replay does not measure, and must learn the same. */
  private async aside(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
      this.failing = false;
    } catch (error) {
      if (!this.failing)
        this.options.log('warn', `quality cannot be measured: ${String(error)}; learning goes on`);
      this.failing = true;
    }
  }

  private async ranked(batch: readonly WaitingEvent[]): Promise<void> {
    const { includeSeen, measures } = this.options;
    const asked: LearnExample[] = [];
    for (const event of batch) {
      if ('reason' in event) {
        if (event.reason !== ERASED && measures(event.user)) this.prequential.miss(event.user);
        continue;
      }
      const { event: sent, item, query, known, begins } = event;
      if (!measures(sent.user) || (!includeSeen && query.items.includes(item))) continue;
      if (item >= known || begins) this.prequential.miss(sent.user);
      else asked.push(event);
    }
    for (let from = 0; from < asked.length; from += SLICE) {
      await this.rankedTogether(asked.slice(from, from + SLICE));
      await turn();
    }
  }

  private async rankedTogether(asked: readonly LearnExample[]): Promise<void> {
    const { includeSeen, popularity } = this.options;
    const queries = asked.map(({ query }) => query);
    const users = asked.map(({ event }) => event.user);
    const scores: Float32Array[] = [];
    for (const scoring of this.scorings) {
      scores.push(await scoring.score(queries, users));
      await turn();
    }
    const { frozen } = this.options;
    const barred = new Uint8Array(popularity.length);
    for (const [row, event] of asked.entries()) {
      if (row > 0 && row % RANKS === 0) await turn();
      const { query, item, known } = event;
      const seen = includeSeen ? NONE : query.items;
      for (const one of seen) barred[one] = 1;
      const ranked = this.scorings.map(({ columns }, s): Ranked => {
        const rows = Math.min(columns, known);
        if (item >= rows) return MISS;
        const at = row * columns;
        return {
          rank: rankOf(scores[s]!, at, rows, item, barred),
          logLoss: logLossOf(scores[s]!, at, rows, item, barred),
        };
      });
      this.prequential.record(users[row]!, [popular(popularity, known, item, barred), ...ranked]);
      for (const one of seen) barred[one] = 0;
      // Of an item that came later the frozen model has nothing to say.
      const before = frozen && ranked[0] !== MISS ? ranked[0] : undefined;
      this.options.watch?.(event, ranked.at(-1)!, before);
    }
  }
}

/** Popularity as a distribution over the first `rows`: p(item) ∝ count + 1. */
function popular(counts: Float32Array, rows: number, item: number, barred: Uint8Array): Ranked {
  let total = 0;
  for (let i = 1; i < rows; i++) if (barred[i] === 0) total += counts[i]! + 1;
  return {
    rank: rankOf(counts, 0, rows, item, barred),
    logLoss: Math.log(total) - Math.log(counts[item]! + 1),
  };
}

/** Interactions of each item where a service begins, [items + 1], with places for those that come. */
export function countsOf({ catalogue, from }: Pick<ArmsSource, 'catalogue' | 'from'>): Float32Array {
  const counts = new Float32Array(catalogue.itemCounts.length);
  counts.set(from?.state.popularity ?? catalogue.itemCounts);
  return counts;
}

/** The arms of a service. */
export function armsOf(
  { catalogue, learner, frozen, quality, context, from, watch }: ArmsSource,
  { served, adapted }: { readonly served?: UserAdaptation; readonly adapted?: UserAdaptation },
): Arms {
  const popularity = countsOf({ catalogue, from });
  const columns = popularity.length;
  // Events that wait are in the popularity already, and come here again.
  for (const event of from?.state.queue.waiting ?? []) if ('item' in event) popularity[event.item]! -= 1;
  return new Arms({
    popularity,
    frozen,
    adapted:
      adapted && frozen
        ? {
            columns: frozen.columns,
            score: (queries, users) => adapted.score(queries, users),
            learn: (examples) => adapted.learn(examples.map((one) => ({ ...one, known: frozen.columns }))),
            restart: (rows) => adapted.restart(rows),
          }
        : undefined,
    learned: {
      columns,
      score: (queries, users) => (served ? served.score(queries, users) : learner.score(queries)),
    },
    includeSeen: quality.includeSeen,
    measures: (user) =>
      quality.share >= 1 || Random.of(0, 'quality of a share of users', user).uniform() < quality.share,
    window: quality.window,
    log: (level, message) => context.log(level, message),
    watch,
  });
}
