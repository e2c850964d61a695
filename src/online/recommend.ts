import type { ItemScores } from '../compute/topk.js';
import { type UserState, userStates } from '../model/adaptation/basis.js';
import type { FallbackReason, Reason, RecommendRequest } from '../protocol/recommendations.js';
import type { Catalogue, Query, StageContext } from '../types.js';
import { askedQuery } from './asked-query.js';
import { askedState, scoresOfState } from './asked-state.js';
import { CLOCK, type Clock } from './deadline/clock.js';
import { LastLists } from './deadline/last-lists.js';
import { ScoringTime } from './deadline/scoring-time.js';
import { invalid } from './events.js';
import { impressionOf, type Served } from './impressions/impression.js';
import type { OnlineLearner } from './learner.js';
import type { List, Lists, Wanted } from './lists/lists.js';
import type { ServiceMetrics } from './metrics.js';
import { MicroBatch } from './micro-batch.js';
import type { OpenCatalogue } from './open-catalogue.js';
import { reasonsOf } from './reasons.js';
import { ReplyError } from './replies.js';
import { ofSome } from './retrieval/candidates.js';
import { type Listing, listed, type ModelScores } from './retrieval/listing.js';
import { Proposing } from './retrieval/proposing.js';
import type { Retrieval } from './retrieval/retrieval.js';
import type { RequestConfig } from './schema.js';
import type { Asked, Serving } from './serving.js';
import type { ShownLists } from './shown-lists.js';
import { turn } from './turn.js';
import type { UserAdaptation } from './user-adaptation.js';
import type { UserHistories } from './users.js';

export interface RecommendedItem {
  readonly item: string;
  readonly title: string;
  /** The model's score, or the item's popularity in a fallback. Higher is better; comparable within one list. */
  readonly score: number;
  /** Where lists explore: probability of the item at its place, given those above. */
  readonly propensity?: number;
  /** Where asked for: the events that carried it most. */
  readonly reasons?: readonly Reason[];
}

export interface Recommendation {
  readonly user?: string;
  readonly items: readonly RecommendedItem[];
  /** `<base checkpoint>+<events learned since>`. */
  readonly modelVersion: string;
  /** The adapter that was asked for, or that the variant has. */
  readonly adapter?: string;
  /** Where there is an experiment: how lists of this user are made. */
  readonly variant?: string;
  /** Where lists explore: probability of the whole list. */
  readonly listPropensity?: number;
  /** True where the list is popularity or the user's last one. */
  readonly fallback: boolean;
  readonly fallbackReason?: FallbackReason;
  /** Item ids of the request that are not in the catalogue. */
  readonly unknown: readonly string[];
}

export interface RecommenderOptions {
  readonly catalogue: Catalogue;
  readonly learner: OnlineLearner;
  readonly histories: UserHistories;
  readonly items: Pick<OpenCatalogue, 'get' | 'size'>;
  readonly behaviourIndex: ReadonlyMap<string, number>;
  /** [items + 1] interactions by item: train rows and events. */
  readonly popularity: Float32Array;
  readonly requests: Pick<RequestConfig, 'k' | 'budgetMs'>;
  /** Makes lists of scores. */
  lists(): Pick<Lists, 'best' | 'left'>;
  readonly serving?: Serving | undefined;
  /** What lists showed, for the events that name them. */
  readonly shown: ShownLists;
  /** What was learned of each user. */
  readonly adaptation?: UserAdaptation | undefined;
  /** Which items lists are made from, where that is not all of them. */
  readonly retrieval?: Retrieval | undefined;
  readonly metrics: ServiceMetrics;
  readonly log: StageContext['log'];
  version(): string;
}

interface Scoring<T = Float32Array> {
  score(query: Query): Promise<T>;
  /** Without a known user or an event there is nothing to score by. */
  readonly needsHistory: boolean;
}

/** A request that is not answered yet. */
interface UnderWay {
  readonly user: string | undefined;
  /** Whether its user was erased since it came. */
  forgotten: boolean;
}

/** A list that is served. */
interface MadeList extends List {
  /** Of the model that made it. */
  readonly version: string;
  /** False where it was made before. */
  readonly drawn: boolean;
}

/** Lists for users and sessions: the learner's scores, or popularity where there is nothing to score by. */
export class Recommender {
  readonly popularity: Float32Array;
  /** The newest list of the users who asked last, for when there is no time to score. */
  readonly lastLists = new LastLists();
  /** What the newest lists showed. */
  readonly shown: ShownLists;
  private readonly underWay = new Set<UnderWay>();
  private readonly clock: Clock;
  private readonly time: ScoringTime;
  /** By the name of the adapter; '' is the model as it is. */
  private readonly asked = new Map<string, MicroBatch<Query>>();
  private readonly proposing: Proposing | undefined;
  private readonly askedOfUsers: MicroBatch<{ readonly query: Query; readonly user: string }>;

  constructor(private readonly options: RecommenderOptions) {
    const { popularity, shown, serving, learner, adaptation, retrieval } = options;
    this.popularity = popularity;
    this.shown = shown;
    this.clock = serving?.clock ?? CLOCK;
    this.time = new ScoringTime(this.clock);
    for (const adapter of [undefined, ...(learner.adapters ?? [])])
      this.asked.set(adapter ?? '', new MicroBatch((queries) => learner.score(queries, adapter)));
    if (retrieval) this.proposing = new Proposing(learner, adaptation, retrieval);
    this.askedOfUsers = new MicroBatch((asked) =>
      adaptation!.score(
        asked.map(({ query }) => query),
        asked.map(({ user }) => user),
      ),
    );
  }

  async recommend(request: RecommendRequest, asked: Asked = {}): Promise<Recommendation> {
    const own: UnderWay = { user: request.user, forgotten: false };
    this.underWay.add(own);
    try {
      return await this.answer(request, asked, own);
    } finally {
      this.underWay.delete(own);
    }
  }

  /** Lets go of the lists of a user. Those under way are answered, and neither kept nor logged. */
  forget(user: string): void {
    this.lastLists.forget(user);
    this.shown.forget(user);
    for (const one of this.underWay) if (one.user === user) one.forgotten = true;
  }

  /** Resolves once all lists that were asked for are answered. */
  async answered(): Promise<void> {
    while (this.underWay.size > 0) await turn();
  }

  /** An event named an item. */
  named(item: number): void {
    this.popularity[item]! += 1;
    this.options.retrieval?.note(item);
  }

  private async answer(given: RecommendRequest, asked: Asked, own: UnderWay): Promise<Recommendation> {
    const { catalogue, requests, items, metrics, serving, learner, retrieval } = this.options;
    const variant = serving?.experiment?.of(given);
    const request = variant?.adapter === undefined ? given : { ...given, adapter: variant.adapter };
    const unknown: string[] = [];
    const { adapter, user } = request;
    const adapters = learner.adapters ?? [];
    if (adapter !== undefined && !adapters.includes(adapter))
      throw invalid([
        { field: 'adapter', message: `is none that is served (${adapters.join(', ') || 'there are none'})` },
      ]);
    const query = { ...askedQuery(request, this.options, unknown), ...this.asking(request.behaviour) };
    const known = (list: readonly string[]): number[] =>
      list.flatMap((id) => {
        const item = items.get(id);
        if (item === undefined) unknown.push(id);
        return item ?? [];
      });
    const excluded = new Set(known(request.exclude ?? []));
    if (!request.includeSeen && !request.candidates) for (const item of query.items) excluded.add(item);
    const candidates = request.candidates && new Set(known(request.candidates));
    const barred = candidates ? { has: (i: number) => excluded.has(i) || !candidates.has(i) } : excluded;
    const version = this.options.version();
    const scoring = this.scoring(request, version);
    const propose = this.proposing?.of(request);
    const budget = request.budgetMs ?? requests.budgetMs ?? Number.POSITIVE_INFINITY;
    const wanted = {
      k: request.k ?? requests.k,
      barred,
      requestId: asked.requestId,
      popularity: this.popularity,
      counts: false,
      diversity: variant?.diversity,
    };
    const lastOf = lastListOf(given);
    const end = this.clock.now() + budget - (asked.waited ?? 0);
    const listing: Listing<MadeList> = {
      k: wanted.k,
      scores: (all) => {
        const score = (all ? undefined : propose) ?? scoring.score;
        return this.modelScores(query, { ...scoring, score }, end - this.clock.now());
      },
      list: (model) => this.listOf(model, wanted, version, lastOf),
      best: (scores) => this.options.lists().best(scores, { ...wanted, requestId: undefined }),
      all: () => scoring.score(query),
    };
    const { model, list } = await listed(listing, retrieval);
    if (typeof model !== 'string' && lastOf !== undefined && !own.forgotten) {
      const { items, scores, reranked } = list;
      this.lastLists.keep(lastOf, { items, scores, reranked, modelVersion: version });
    }
    const fallbackReason = typeof model === 'string' ? model : undefined;
    metrics.recommendations.inc({ source: fallbackReason ? 'fallback' : 'model' });
    if (fallbackReason) metrics.fallbacks.inc({ reason: fallbackReason });
    if (variant) metrics.variants.inc({ variant: variant.name });
    const reasons =
      request.reasons && model instanceof Float32Array && !request.state
        ? await reasonsOf(query, list.items, model, { catalogue, learner, score: scoring.score, adapter })
        : undefined;
    const drawn = list.drawn && serving?.exploration?.explores;
    const answer: Recommendation = {
      ...(user === undefined ? {} : { user }),
      items: Array.from(list.items, (item, i) => ({
        item: catalogue.items[item]!,
        title: catalogue.titles[item] ?? '',
        score: list.scores[i]!,
        ...(drawn ? { propensity: list.propensities[i]! } : {}),
        ...(reasons ? { reasons: reasons[i]! } : {}),
      })),
      ...(drawn ? { listPropensity: list.propensities.reduce((product, one) => product * one, 1) } : {}),
      modelVersion: list.version,
      ...(adapter === undefined ? {} : { adapter }),
      ...(variant === undefined ? {} : { variant: variant.name }),
      fallback: fallbackReason !== undefined,
      ...(fallbackReason ? { fallbackReason } : {}),
      unknown,
    };
    if (asked.requestId !== undefined && !own.forgotten) {
      this.shown.keep(asked.requestId, user, answer.items);
      await this.logList(
        {
          ...answer,
          ...{ query, requestId: asked.requestId, behaviour: request.behaviour },
          variant: variant && serving?.experiment?.told(variant),
        },
        list,
      );
    }
    return answer;
  }

  private async logList(served: Omit<Served, 'list' | 'policy'>, list: MadeList): Promise<void> {
    const { serving, catalogue, learner } = this.options;
    const policy = list.drawn ? (serving?.exploration?.config.kind ?? 'none') : undefined;
    await serving?.impressions?.write(impressionOf({ ...served, list, policy }, catalogue, learner.length));
  }

  /** A list of the model's scores, or what stands in for it. */
  private async listOf(
    model: ModelScores,
    wanted: Wanted,
    version: string,
    user: string | undefined,
  ): Promise<MadeList> {
    const lists = this.options.lists();
    if (typeof model !== 'string') {
      return { ...(await lists.best(model, wanted)), version, drawn: true };
    }
    const last = model === 'budget' && user !== undefined ? this.lastLists.get(user) : undefined;
    const left = last && (await lists.left(last, wanted.k, wanted.barred));
    if (!last || !left || left.items.length === 0)
      return { ...(await lists.best(this.popularity, { ...wanted, counts: true })), version, drawn: true };
    const propensities = new Float64Array(left.items.length).fill(Number.NaN);
    const { reranked, modelVersion } = last;
    return { ...left, propensities, reranked, pool: left.items, version: modelVersion, drawn: false };
  }

  /**
   * What the model knows of a user: the state that their events have led to.
   * @throws ReplyError 400 where the model has no states
   */
  async state(user: string): Promise<UserState & { readonly modelVersion: string }> {
    const { learner, histories, version } = this.options;
    if (!learner.states) throw invalid([{ field: 'user', message: 'has no state: the model keeps none' }]);
    const modelVersion = version();
    const own: UnderWay = { user, forgotten: false };
    this.underWay.add(own);
    try {
      const [state] = await userStates(learner.states, [histories.query(user)]);
      return { ...state!, modelVersion };
    } finally {
      this.underWay.delete(own);
    }
  }

  private asking(behaviour: string | undefined): Pick<Query, 'asks'> {
    if (behaviour === undefined) return {};
    const { learner, behaviourIndex } = this.options;
    const asks = behaviourIndex.get(behaviour);
    const message = !learner.asks
      ? 'cannot be asked about: the model has no behaviour heads'
      : `is none that the model knows (${[...behaviourIndex.keys()].join(', ')})`;
    if (asks === undefined || !learner.asks) throw invalid([{ field: 'behaviour', message }]);
    return { asks };
  }

  /** How a request is scored: by its state, by the user's own weights, or by the model with the adapter asked for. */
  private scoring(request: RecommendRequest, version: string): Scoring {
    const { user = '', adapter } = request;
    const { adaptation, learner, items } = this.options;
    const state = askedState(request, learner.states, version);
    if (state) return { score: () => scoresOfState(learner.states!, state, items.size), needsHistory: false };
    if (adapter === undefined && adaptation?.changes(user))
      return {
        score: (query) => this.askedOfUsers.ask({ query, user }),
        needsHistory: !adaptation.has(user),
      };
    return { score: (query) => this.asked.get(adapter ?? '')!.ask(query), needsHistory: true };
  }

  /** The model's scores of one user, or why there are none. */
  private async modelScores(
    query: Query,
    { score, needsHistory }: Scoring<Float32Array | ItemScores>,
    left: number,
  ): Promise<ModelScores> {
    if (needsHistory && query.user === 0 && query.items.length === 0) return 'unknown user';
    try {
      const scores = await this.time.within(left, () => score(query));
      if (scores === undefined) return 'budget';
      // One look suffices: parameters that are no longer numbers spoil every score.
      if (!Number.isNaN(ofSome(scores) ? scores.scores[0] : scores[1])) return scores;
      this.options.log('warn', 'the model gives scores that are not numbers; serving popular items');
    } catch (error) {
      if (error instanceof ReplyError) throw error;
      this.options.log('warn', `the model could not score: ${String(error)}; serving popular items`);
    }
    return 'scoring failed';
  }
}

/** Whose last list a request's answer may be, and may stand for one: a user's own, without conditions that change scores. */
function lastListOf({
  user,
  history,
  state,
  adapter,
  behaviour,
  candidates,
}: RecommendRequest): string | undefined {
  const own = [history, state, adapter, behaviour, candidates].every((one) => one === undefined);
  return own ? user : undefined;
}
