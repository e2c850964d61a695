import { type UserState, userStates } from '../model/adaptation/basis.js';
import type { RecommendRequest } from '../protocol/recommendations.js';
import type { Catalogue, Query, StageContext } from '../types.js';
import { invalid } from './events.js';
import type { OnlineLearner } from './learner.js';
import type { Lists } from './lists/lists.js';
import type { ServiceMetrics } from './metrics.js';
import { MicroBatch } from './micro-batch.js';
import type { OpenCatalogue } from './open-catalogue.js';
import type { UserAdaptation } from './user-adaptation.js';
import type { UserHistories } from './users.js';

export interface RecommendedItem {
  readonly item: string;
  readonly title: string;
  /** The model's score, or the item's popularity in a fallback. Higher is better; comparable within one list. */
  readonly score: number;
}

export interface Recommendation {
  readonly user?: string;
  readonly items: readonly RecommendedItem[];
  /** `<base checkpoint>+<events learned since>`. */
  readonly modelVersion: string;
  /** The adapter that was asked for. */
  readonly adapter?: string;
  /** True where the list is popularity: nothing is known of the user, or the model could not score. */
  readonly fallback: boolean;
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
  readonly defaultK: number;
  /** The best of a row of scores that a list may hold. */
  readonly best: Lists['best'];
  /** What was learned of each user. */
  readonly adaptation?: UserAdaptation | undefined;
  readonly metrics: ServiceMetrics;
  readonly log: StageContext['log'];
  version(): string;
}

interface Scoring {
  score(query: Query): Promise<Float32Array>;
  /** Without a known user or an event there is nothing to score by. */
  readonly needsHistory: boolean;
}

/** Lists for users and sessions: the learner's scores, or popularity where there is nothing to score by. */
export class Recommender {
  readonly popularity: Float32Array;
  /** By the name of the adapter; '' is the model as it is. */
  private readonly asked = new Map<string, MicroBatch<Query>>();
  private readonly askedOfUsers: MicroBatch<{ readonly query: Query; readonly user: string }>;

  constructor(private readonly options: RecommenderOptions) {
    const { popularity, learner, adaptation } = options;
    this.popularity = popularity;
    for (const adapter of [undefined, ...(learner.adapters ?? [])])
      this.asked.set(adapter ?? '', new MicroBatch((queries) => learner.score(queries, adapter)));
    this.askedOfUsers = new MicroBatch((asked) =>
      adaptation!.score(
        asked.map(({ query }) => query),
        asked.map(({ user }) => user),
      ),
    );
  }

  async recommend(request: RecommendRequest): Promise<Recommendation> {
    const { catalogue, defaultK, items, metrics } = this.options;
    const unknown: string[] = [];
    const { adapter } = request;
    const adapters = this.options.learner.adapters ?? [];
    if (adapter !== undefined && !adapters.includes(adapter))
      throw invalid([
        { field: 'adapter', message: `is none that is served (${adapters.join(', ') || 'there are none'})` },
      ]);
    const query = { ...this.query(request, unknown), ...this.asking(request.behaviour) };
    const known = (list: readonly string[]): number[] =>
      list.flatMap((id) => {
        const item = items.get(id);
        if (item === undefined) unknown.push(id);
        return item ?? [];
      });
    const excluded = new Set(known(request.exclude ?? []));
    if (!request.includeSeen && !request.candidates) for (const item of query.items) excluded.add(item);
    const candidates = request.candidates && new Set(known(request.candidates));
    const version = this.options.version();
    const scoring = this.scoring(request);
    const model = await this.modelScores(query, scoring);
    const scores = model ?? this.popularity;
    const barred = candidates ? { has: (i: number) => excluded.has(i) || !candidates.has(i) } : excluded;
    const best = await this.options.best(scores, request.k ?? defaultK, barred, model === undefined);
    metrics.recommendations.inc({ source: model ? 'model' : 'fallback' });
    return {
      ...(request.user === undefined ? {} : { user: request.user }),
      items: Array.from(best.items, (item, i) => ({
        item: catalogue.items[item]!,
        title: catalogue.titles[item] ?? '',
        score: best.scores[i]!,
      })),
      modelVersion: version,
      ...(adapter === undefined ? {} : { adapter }),
      fallback: model === undefined,
      unknown,
    };
  }

  /**
   * What the model knows of a user: the state that their events have led to.
   * @throws ReplyError 400 where the model has no states
   */
  async state(user: string): Promise<UserState & { readonly modelVersion: string }> {
    const { learner, histories, version } = this.options;
    if (!learner.states) throw invalid([{ field: 'user', message: 'has no state: the model keeps none' }]);
    const modelVersion = version();
    const [state] = await userStates(learner.states, [histories.query(user)]);
    return { ...state!, modelVersion };
  }

  private checkedState(state: readonly number[] | undefined): Float32Array | undefined {
    const width = this.options.learner.states?.width ?? 0;
    if (state && state.length !== width)
      throw invalid([
        { field: 'state', message: `has ${state.length} numbers, and those of this model ${width}` },
      ]);
    return state && Float32Array.from(state);
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

  private query(request: RecommendRequest, unknown: string[]): Query {
    const { histories, items: known, behaviourIndex } = this.options;
    const base = histories.query(request.user ?? '');
    if (!request.history || request.history.length === 0) return base;
    const items = [...base.items];
    const behaviours = [...base.behaviours];
    const times = [...(base.times ?? [])];
    const values = [...(base.values ?? [])];
    for (const [index, entry] of request.history.entries()) {
      const {
        item: id,
        behaviour,
        time,
        value = Number.NaN,
      } = typeof entry === 'string' ? { item: entry } : entry;
      if (histories.keeps.times && time === undefined)
        throw invalid([
          { field: `history.${index}.time`, message: 'is missing; the model reads the times of events' },
        ]);
      const item = known.get(id);
      if (item === undefined) {
        unknown.push(id);
        continue;
      }
      items.push(item);
      behaviours.push(behaviourIndex.get(behaviour ?? '') ?? 0);
      if (histories.keeps.times) times.push(time!);
      if (histories.keeps.values) values.push(value);
    }
    return {
      user: base.user,
      items: Int32Array.from(items),
      behaviours: Uint8Array.from(behaviours),
      ...(histories.keeps.times ? { times: Float64Array.from(times) } : {}),
      ...(histories.keeps.values ? { values: Float32Array.from(values) } : {}),
    };
  }

  /** How a request is scored: by its state, by the user's own weights, or by the model with the adapter asked for. */
  private scoring({ user = '', adapter, state: given }: RecommendRequest): Scoring {
    const { learner, adaptation } = this.options;
    const state = this.checkedState(given);
    if (state) return { score: () => learner.states!.rank(state), needsHistory: false };
    if (adapter === undefined && adaptation?.has(user))
      return { score: (query) => this.askedOfUsers.ask({ query, user }), needsHistory: false };
    return { score: (query) => this.asked.get(adapter ?? '')!.ask(query), needsHistory: true };
  }

  /** The model's scores of one user, or undefined where it has nothing to go by. */
  private async modelScores(
    query: Query,
    { score, needsHistory }: Scoring,
  ): Promise<Float32Array | undefined> {
    if (needsHistory && query.user === 0 && query.items.length === 0) return undefined;
    try {
      const scores = await score(query);
      // One look suffices: parameters that are no longer numbers spoil every score.
      if (!Number.isNaN(scores[1])) return scores;
      this.options.log('warn', 'the model gives scores that are not numbers; serving popular items');
    } catch (error) {
      this.options.log('warn', `the model could not score: ${String(error)}; serving popular items`);
    }
    return undefined;
  }
}
