import type { Query } from '../../types.js';
import type { Adapter } from '../user-states.js';

/** On what a state rests: events, what the model knows of the user besides (attributes, say), or neither: then it is that of any user. */
export const BASES = ['events', 'user', 'population'] as const;
export type Basis = (typeof BASES)[number];

/** A user's state, of how many events, and on what it rests. */
export interface UserState {
  readonly events: number;
  readonly basis: Basis;
  readonly state: Float32Array;
}

/**
 * States after each history, and on what they rest. Events that do not count (no gradient step is taken, or the steps diverge) leave a
 * state that rests on what was known without them.
 */
export async function userStates(
  adapter: Pick<Adapter, 'width' | 'adapt'>,
  queries: readonly Query[],
): Promise<UserState[]> {
  const states = await adapter.adapt(queries);
  // One batch more, which ends with nobody.
  const before = await adapter.adapt([...queries.map(({ user }) => user), 0].map(withoutEvents));
  const at = (all: Float32Array, row: number) => all.slice(row * adapter.width, (row + 1) * adapter.width);
  const anyone = at(before, queries.length);
  return queries.map(({ items }, row) => {
    const [state, prior] = [at(states, row), at(before, row)];
    const basis = !alike(state, prior) ? 'events' : alike(prior, anyone) ? 'population' : 'user';
    return { events: items.length, basis, state };
  });
}

const withoutEvents = (user: number): Query => ({
  user,
  items: new Int32Array(0),
  behaviours: new Uint8Array(0),
  times: new Float64Array(0),
  values: new Float32Array(0),
});

/** Equal but for the last digits, which depend on how users are batched. */
function alike(a: Float32Array, b: Float32Array): boolean {
  return a.every((x, i) => Math.abs(x - b[i]!) <= 1e-5 * Math.max(1, Math.abs(b[i]!)));
}
