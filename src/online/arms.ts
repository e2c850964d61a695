import { Random } from '../random.js';
import type { Catalogue, Query } from '../types.js';
import type { FrozenModel, LearnExample, OnlineLearner } from './learner.js';
import { logLossOf, Prequential, type Ranked, rankOf } from './prequential.js';
import type { QualityConfig } from './schema.js';
import type { UserAdaptation } from './user-adaptation.js';
import type { QueueState, WaitingEvent } from './waiting.js';

/** Scores of all items, [queries × (items + 1)], of users as they were before their events. */
type Scoring = (queries: readonly Query[], users: readonly string[]) => Promise<Float32Array>;

export interface ArmsOptions {
  /** [items + 1] interactions by item before the first event that will be measured. Taken over. */
  readonly popularity: Float32Array;
  /** The model as it was when it was first served, reading live histories. */
  readonly frozen?: Scoring | undefined;
  /** The same with what was learned of each user. */
  readonly adapted?: UserAdaptation | undefined;
  /** What is served. */
  readonly learned: Scoring;
  /** Whether items of the history are in the lists that are measured. */
  readonly includeSeen: boolean;
  /** Whose events are measured. */
  measures(user: string): boolean;
  readonly window: number;
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
  readonly from?: { readonly state: { readonly popularity: Float32Array; readonly queue: QueueState } };
}

const K = 10;

/**
 * What each kind of learning earns, on one stream of events: popularity updated live; the model as it was, with live histories; that with what
 * was learned of each user; and the model as served, whose shared weights have learned, too.
 */
export class Arms {
  readonly prequential: Prequential;
  private readonly scorings: readonly Scoring[];

  constructor(private readonly options: ArmsOptions) {
    const { frozen, adapted, learned, window } = options;
    const models: [string, Scoring | undefined][] = [
      ['frozen', frozen],
      ['adapted', adapted && ((queries, users) => adapted.score(queries, users))],
      ['learned', learned],
    ];
    const present = models.flatMap(([name, scoring]) => (scoring ? [[name, scoring] as const] : []));
    this.scorings = present.map(([, scoring]) => scoring);
    this.prequential = new Prequential(K, window, ['popularity', ...present.map(([name]) => name)]);
  }

  /** Ranks each event's item as each arm's list stood before the batch. Items already seen are not in it unless lists hold them. */
  async measure(batch: readonly WaitingEvent[]): Promise<void> {
    const { includeSeen, popularity, measures } = this.options;
    const asked: LearnExample[] = [];
    for (const event of batch) {
      if ('reason' in event) {
        if (measures(event.user)) this.prequential.miss(event.user);
      } else if (measures(event.event.user) && (includeSeen || !event.query.items.includes(event.item)))
        asked.push(event);
    }
    if (asked.length === 0) return;
    const columns = popularity.length;
    const queries = asked.map(({ query }) => query);
    const users = asked.map(({ event }) => event.user);
    const scores: Float32Array[] = [];
    for (const scoring of this.scorings) scores.push(await scoring(queries, users));
    const { frozen } = this.options;
    for (const [row, event] of asked.entries()) {
      const { query, item } = event;
      const excluded = new Set(includeSeen ? [] : query.items);
      const of = (one: Float32Array): Ranked => ({
        rank: rankOf(one, row * columns, columns, item, excluded),
        logLoss: logLossOf(one, row * columns, columns, item, excluded),
      });
      const ranked = scores.map(of);
      this.prequential.record(users[row]!, [popular(popularity, item, excluded), ...ranked]);
      this.options.watch?.(event, ranked.at(-1)!, frozen && ranked[0]);
    }
  }

  /** Counts the batch's items, and adapts the arm that has adapted to their users. */
  async learn(batch: readonly WaitingEvent[], wanted: readonly LearnExample[]): Promise<void> {
    for (const event of batch) if ('item' in event) this.options.popularity[event.item]! += 1;
    if (wanted.length > 0) await this.options.adapted?.learn(wanted);
  }
}

/** Popularity as a distribution: p(item) ∝ count + 1. */
function popular(counts: Float32Array, item: number, excluded: ReadonlySet<number>): Ranked {
  let total = 0;
  for (let i = 1; i < counts.length; i++) if (!excluded.has(i)) total += counts[i]! + 1;
  return {
    rank: rankOf(counts, 0, counts.length, item, excluded),
    logLoss: Math.log(total) - Math.log(counts[item]! + 1),
  };
}

/** The arms of a service. */
export function armsOf(
  { catalogue, learner, frozen, quality, from, watch }: ArmsSource,
  { served, adapted }: { readonly served?: UserAdaptation; readonly adapted?: UserAdaptation },
): Arms {
  const popularity = Float32Array.from(from?.state.popularity ?? catalogue.itemCounts);
  // Events that wait are in the popularity already, and come here again.
  for (const event of from?.state.queue.waiting ?? []) if ('item' in event) popularity[event.item]! -= 1;
  return new Arms({
    popularity,
    frozen: frozen && ((queries) => frozen.score(queries)),
    adapted,
    learned: (queries, users) => (served ? served.score(queries, users) : learner.score(queries)),
    includeSeen: quality.includeSeen,
    measures: (user) =>
      quality.share >= 1 || Random.of(0, 'quality of a share of users', user).uniform() < quality.share,
    window: quality.window,
    watch,
  });
}
