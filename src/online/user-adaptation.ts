import type { HostTensor, Query, TensorMap } from '../types.js';
import { LastSeen } from './last-seen.js';
import type { LearnableStates, LearnExample, States } from './learner.js';

/** How far a user's own weights go with each of their events. */
export interface UserRates {
  /** Step size of the gradient. */
  readonly rate: number;
  /** Share of the weights that is forgotten at each event. */
  readonly decay: number;
}

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
  if (rates.rate === 0) return {};
  const { states, learnable } = of.learner;
  if (!learnable || learnable.width > WIDEST) return {};
  return {
    served: new UserAdaptation(learnable, rates, { lists: states, idle: of.idle }),
    ...(of.frozen ? { adapted: new UserAdaptation(of.frozen.states, rates, { idle: of.idle }) } : {}),
  };
}

/** Users' own weights in durable form: tensor `<name>.offsets` [users × width], and where they are let go of what `LastSeen` gives. */
export interface OffsetSnapshot {
  readonly users: readonly string[];
  readonly tensors: TensorMap;
}

/**
 * What each user's events say beyond what the model reads from them: an offset δ to the user's state, scores = f(h + δ). With every event
 * δ ← (1 − decay) δ − rate · ∂(−log p(item)) / ∂(h + δ), one gradient step on the user's own loss. The model stays as it is, and a user
 * without events has δ = 0.
 */
export class UserAdaptation {
  private readonly offsets = new Map<string, Float32Array>();
  private readonly lists: States;
  private readonly seen: LastSeen | undefined;

  /**
   * @param states that offsets are learned from
   * @param options states that lists are made from, where those are others; milliseconds without an event after which offsets are let go of
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
    if (idle !== undefined) this.seen = new LastSeen(idle, () => this.offsets.keys());
  }

  has(user: string): boolean {
    return this.offsets.has(user);
  }

  /** [width] what was learned of a user; undefined before the first event. */
  offset(user: string): Float32Array | undefined {
    return this.offsets.get(user)?.slice();
  }

  forget(user: string): void {
    this.offsets.delete(user);
    this.seen?.forget(user);
  }

  /** Scores [queries × (items + 1)] of users with what was learned of them. */
  async score(queries: readonly Query[], users: readonly string[]): Promise<Float32Array> {
    return this.lists.rank(await this.adapted(this.lists, queries, users));
  }

  /**
   * One step for each example's user; examples of one user in a batch all start from the same offset. Then lets go of those of users who have had none for
   * too long.
   * @returns how many
   */
  async learn(examples: readonly LearnExample[]): Promise<number> {
    const { rate, decay } = this.rates;
    const { width } = this.states;
    const queries = examples.map(({ query }) => query);
    const users = examples.map(({ event }) => event.user);
    const items = Int32Array.from(examples, ({ item }) => item);
    const known = Int32Array.from(examples, (example) => Math.max(example.known, example.item + 1));
    const gradients = await this.states.gradients(
      await this.adapted(this.states, queries, users),
      items,
      known,
    );
    for (const [row, user] of users.entries()) {
      const gradient = gradients.subarray(row * width, (row + 1) * width);
      // A loss that is no number must not outlast its event.
      if (!gradient.every(Number.isFinite)) continue;
      const offset = this.offsets.get(user) ?? new Float32Array(width);
      for (let i = 0; i < width; i++) offset[i] = (1 - decay) * offset[i]! - rate * gradient[i]!;
      this.offsets.set(user, offset);
    }
    let gone = 0;
    for (const { event } of examples)
      for (const user of this.seen?.note(event.user, event.time) ?? []) if (this.offsets.delete(user)) gone++;
    return gone;
  }

  snapshot(name: string): OffsetSnapshot {
    const { width } = this.states;
    const data = new Float32Array(this.offsets.size * width);
    let row = 0;
    for (const offset of this.offsets.values()) data.set(offset, width * row++);
    const tensor: HostTensor = { dtype: 'F32', shape: [this.offsets.size, width], data };
    const users = [...this.offsets.keys()];
    const seen = this.seen?.snapshot(name, users) ?? [];
    return { users, tensors: new Map([[`${name}.offsets`, tensor], ...seen]) };
  }

  /** Becomes what `snapshot` gave. */
  load(name: string, { users, tensors }: OffsetSnapshot): void {
    const { width } = this.states;
    this.offsets.clear();
    const data = tensors.get(`${name}.offsets`)!.data as Float32Array;
    for (const [row, user] of users.entries())
      this.offsets.set(user, data.slice(row * width, (row + 1) * width));
    this.seen?.load(name, users, tensors);
  }

  private async adapted(
    { width, adapt }: States,
    queries: readonly Query[],
    users: readonly string[],
  ): Promise<Float32Array> {
    const states = Float32Array.from(await adapt(queries));
    for (const [row, user] of users.entries()) {
      const offset = this.offsets.get(user);
      if (!offset) continue;
      for (let i = 0; i < width; i++) states[row * width + i]! += offset[i]!;
    }
    return states;
  }
}
