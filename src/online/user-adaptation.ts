import type { ItemScores } from '../compute/topk.js';
import type { HostTensor, Query, TensorMap } from '../types.js';
import { excess } from './excess.js';
import { LastSeen } from './last-seen.js';
import type { LearnableStates, LearnExample, States } from './learner.js';
import { addRepeats, type Repeats, repeatGradient, repeatsOf } from './repeats.js';
import { addTrend, Trend } from './trend.js';

/** Where a number is in an ascending list that has it. */
function placeOf(sorted: Int32Array, value: number): number {
  let [low, high] = [0, sorted.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How far a user's own weights go with each of their events. */
export interface UserRates {
  /** Step size of the gradient. */
  readonly rate: number;
  /** Share of the weights that is forgotten at each event. */
  readonly decay: number;
  /** What the model's scores are multiplied by: probabilities of a model that is too sure of itself teach users too much. */
  readonly scale: number;
  /** How the user's weights of what comes again go, from what everyone begins with. */
  readonly repeat: {
    readonly rate: number;
    readonly decay: number;
    readonly start: { readonly recent: number; readonly seen: number };
  };
  /** How the user's weight of what everyone turns to now goes. */
  readonly trend: {
    readonly rate: number;
    readonly decay: number;
    readonly start: number;
    /** Events after which one counts half. */
    readonly halfLife: number;
  };
}

/** Whether users have weights of what comes again. */
const repeats = ({ repeat: { rate, start } }: UserRates): boolean =>
  rate > 0 || start.recent !== 0 || start.seen !== 0;

/** Whether users have a weight of the trend. */
const trends = ({ trend: { rate, start } }: UserRates): boolean => rate > 0 || start !== 0;

/** Whether users are to have weights of their own. */
export const adaptsUsers = (rates: UserRates): boolean => rates.rate > 0 || repeats(rates) || trends(rates);

/** Weights of items beside the state: of what comes again 1/n for the item of n events ago and 1 for each that they had, and of the trend. */
const [RECENT, TREND, ITEM_WEIGHTS] = [0, 2, 3] as const;

/** Of users without weights of what comes again. */
const NOTHING: Repeats = { items: new Int32Array(0), recent: new Float32Array(0) };

/** Numbers that a user's own weights may have: they are kept for every user. */
const WIDEST = 4096;

/** The two adaptations of a service that adapts to users: of the model as it learns, and of the one that stays as it was. */
export function userAdaptation(of: {
  readonly learning: { readonly user: UserRates };
  readonly learner: { readonly states?: States; readonly learnable?: LearnableStates };
  readonly frozen?: { readonly states: LearnableStates } | undefined;
  /** Milliseconds without an event after which a user's weights are let go of. */
  readonly idle?: number | undefined;
}): { readonly served?: UserAdaptation; readonly adapted?: UserAdaptation } {
  const { user: rates } = of.learning;
  if (!adaptsUsers(rates)) return {};
  const { states, learnable } = of.learner;
  if (!learnable || learnable.width > WIDEST) return {};
  return {
    served: new UserAdaptation(learnable, rates, { lists: states, idle: of.idle }),
    ...(of.frozen ? { adapted: new UserAdaptation(of.frozen.states, rates, { idle: of.idle }) } : {}),
  };
}

/** Users' own weights in durable form: tensor `<name>.offsets` [users × (width + 3, with weights of items)], and where they are let go of what `LastSeen` gives, where there are such what `Trend` gives. */
export interface OffsetSnapshot {
  readonly users: readonly string[];
  readonly tensors: TensorMap;
}

/**
 * What each user's events say beyond what the model reads from them: an offset δ to the user's state, and weights w of items that they had before (`repeats.ts`) and of
 * those that everyone turns to (`trend.ts`), scores = s f(h + δ) + φ w. With every event δ ← (1 − decay) δ − rate · ∂(−log p(item)) / ∂(h + δ), and w likewise towards what everyone begins with:
 * one gradient step on the user's own loss. The model stays as it is, and a user without events has δ = 0.
 */
export class UserAdaptation {
  /** [width] δ, and w after it where there is such. */
  private readonly own = new Map<string, Float32Array>();
  /** What everyone begins with. */
  private readonly start: Float32Array;
  /** Whether there are weights of items. */
  private readonly weighs: boolean;
  private readonly trend: Trend | undefined;
  private readonly lists: States;
  private readonly seen: LastSeen | undefined;

  /**
   * @param states that weights are learned from
   * @param options states that lists are made from, where those are others; milliseconds without an event after which weights are let go of
   */
  constructor(
    private readonly states: LearnableStates,
    private readonly rates: UserRates,
    {
      lists = states,
      idle,
    }: { readonly lists?: States | undefined; readonly idle?: number | undefined } = {},
  ) {
    this.lists = lists;
    if (idle !== undefined) this.seen = new LastSeen(idle, () => this.own.keys());
    if (trends(rates)) this.trend = new Trend(rates.trend.halfLife);
    this.weighs = repeats(rates) || trends(rates);
    const { recent, seen } = rates.repeat.start;
    this.start = new Float32Array(states.width + (this.weighs ? ITEM_WEIGHTS : 0));
    if (this.weighs) this.start.set([recent, seen, rates.trend.start], states.width);
  }

  has(user: string): boolean {
    return this.own.has(user);
  }

  /** Whether lists of a user with a history are other than the model's. */
  changes(user: string): boolean {
    return this.own.has(user) || this.start.some((weight) => weight !== 0);
  }

  /** What was learned of a user, [width] δ and w after it; undefined before the first event. */
  weights(user: string): Float32Array | undefined {
    return this.own.get(user)?.slice();
  }

  forget(user: string): void {
    this.own.delete(user);
    this.seen?.forget(user);
  }

  /** Scores [queries × (items + 1)] of users with what was learned of them. */
  async score(queries: readonly Query[], users: readonly string[]): Promise<Float32Array> {
    const scores = this.scaled(await this.lists.rank(await this.adapted(this.lists, queries, users)));
    if (this.weighs) this.addTo(scores, queries, users);
    return scores;
  }

  /** States [queries × width] that lists of users are made from: with what was learned of them. */
  statesOf(queries: readonly Query[], users: readonly string[]): Promise<Float32Array> {
    return this.adapted(this.lists.products ?? this.lists, queries, users);
  }

  /** Scores of some items for a state of `statesOf`, as `score` has them. @param some hold the items of the history */
  adjusted({ items, scores: of }: ItemScores, query: Query, user: string): ItemScores {
    const scores = this.scaled(of);
    if (!this.weighs) return { items, scores };
    const weights = (this.own.get(user) ?? this.start).subarray(this.states.width);
    const had = this.had(query, (items.at(-1) ?? 0) + 1);
    const places = Int32Array.from(had.items, (item) => placeOf(items, item));
    addRepeats(scores, { ...had, items: places }, weights);
    if (this.trend) addTrend(scores, this.trend.at(items), weights[TREND]!);
    return { items, scores };
  }

  /**
   * One step for each example's user; examples of one user in a batch all start from the same weights. Then lets go of those of users who have had no event for
   * too long.
   * @returns how many
   */
  async learn(examples: readonly LearnExample[]): Promise<number> {
    const queries = examples.map(({ query }) => query);
    const users = examples.map(({ event }) => event.user);
    const items = Int32Array.from(examples, ({ item }) => item);
    const known = Int32Array.from(examples, (example) => Math.max(example.known, example.item + 1));
    const states = await this.adapted(this.states, queries, users);
    const added = this.weighs ? await this.logits(states, queries, users) : undefined;
    const { scale, rate } = this.rates;
    const tempered = { scale, added: added?.own };
    const ofStates = rate > 0 ? await this.states.gradients(states, items, known, tempered) : undefined;
    const { width } = this.states;
    for (const [row, user] of users.entries()) {
      const gradient = new Float32Array(this.start.length);
      if (ofStates) gradient.set(ofStates.subarray(row * width, (row + 1) * width));
      if (added) {
        const columns = added.logits.length / users.length;
        const logits = added.logits.subarray(row * columns, (row + 1) * columns);
        gradient.set(this.itemGradient(logits, added.of[row]!, items[row]!, known[row]!), width);
      }
      // A loss that is no number must not outlast its event.
      if (gradient.every(Number.isFinite)) this.step(user, gradient);
    }
    this.trend?.note(items);
    let gone = 0;
    for (const { event } of examples)
      for (const user of this.seen?.note(event.user, event.time) ?? []) if (this.own.delete(user)) gone++;
    return gone;
  }

  /** Rows have become other items'. */
  restart(rows: readonly number[]): void {
    this.trend?.restart(rows);
  }

  snapshot(name: string): OffsetSnapshot {
    const width = this.start.length;
    const data = new Float32Array(this.own.size * width);
    let row = 0;
    for (const weights of this.own.values()) data.set(weights, width * row++);
    const tensor: HostTensor = { dtype: 'F32', shape: [this.own.size, width], data };
    const users = [...this.own.keys()];
    const seen = this.seen?.snapshot(name, users) ?? [];
    const trend = this.trend?.snapshot(name) ?? [];
    return { users, tensors: new Map([[`${name}.offsets`, tensor], ...seen, ...trend]) };
  }

  /** Becomes what `snapshot` gave; of weights that were not kept then, users begin with what everyone does. */
  load(name: string, { users, tensors }: OffsetSnapshot): void {
    const { shape, data } = tensors.get(`${name}.offsets`)!;
    const width = shape[1]!;
    this.own.clear();
    for (const [row, user] of users.entries()) {
      const weights = this.start.slice();
      const kept = Math.min(width, weights.length);
      weights.set((data as Float32Array).subarray(row * width, row * width + kept));
      this.own.set(user, weights);
    }
    this.seen?.load(name, users, tensors);
    this.trend?.load(name, tensors);
  }

  private step(user: string, gradient: Float32Array): void {
    const { start } = this;
    const weights = this.own.get(user) ?? start.slice();
    for (let i = 0; i < weights.length; i++) {
      const { rate, decay } = this.ratesOf(i);
      weights[i] = weights[i]! - decay * (weights[i]! - start[i]!) - rate * gradient[i]!;
    }
    this.own.set(user, weights);
  }

  private ratesOf(weight: number): { readonly rate: number; readonly decay: number } {
    const { rates, states } = this;
    if (weight < states.width) return rates;
    return weight - states.width === TREND ? rates.trend : rates.repeat;
  }

  private itemGradient(logits: Float32Array, of: Repeats, item: number, known: number): Float64Array {
    const off = excess(logits, item, known);
    const gradient = new Float64Array(ITEM_WEIGHTS);
    gradient.set(repeatGradient(off, of), RECENT);
    const logs = this.trend?.of(logits.length);
    if (logs) gradient[TREND] = off.reduce((sum, one, i) => sum + one * logs[i]!, 0);
    return gradient;
  }

  private async adapted(
    { width, adapt }: Pick<States, 'width' | 'adapt'>,
    queries: readonly Query[],
    users: readonly string[],
  ): Promise<Float32Array> {
    const states = Float32Array.from(await adapt(queries));
    for (const [row, user] of users.entries()) {
      const own = this.own.get(user);
      if (!own) continue;
      for (let i = 0; i < width; i++) states[row * width + i]! += own[i]!;
    }
    return states;
  }

  /** Items that may come again, where users have weights of them. */
  private had(query: Query, rows: number): Repeats {
    return repeats(this.rates) ? repeatsOf(query, rows) : NOTHING;
  }

  private scaled(scores: Float32Array): Float32Array {
    const { scale } = this.rates;
    // What is added to later may be somebody else's.
    return scale === 1 && !this.weighs ? scores : scores.map((score) => scale * score);
  }

  /** Adds to scores [users × columns] what users' weights of items come to. @returns items that they had, by user */
  private addTo(scores: Float32Array, queries: readonly Query[], users: readonly string[]): Repeats[] {
    const columns = scores.length / users.length;
    const logs = this.trend?.of(columns);
    return users.map((user, row) => {
      const of = this.had(queries[row]!, columns);
      const weights = (this.own.get(user) ?? this.start).subarray(this.states.width);
      const into = scores.subarray(row * columns, (row + 1) * columns);
      addRepeats(into, of, weights);
      if (logs) addTrend(into, logs, weights[TREND]!);
      return of;
    });
  }

  private async logits(states: Float32Array, queries: readonly Query[], users: readonly string[]) {
    const logits = this.scaled(await this.states.rank(states));
    const own = new Float32Array(logits.length);
    const of = this.addTo(own, queries, users);
    for (let i = 0; i < logits.length; i++) logits[i] = logits[i]! + own[i]!;
    return { logits, own, of };
  }
}
