import type { Catalogue } from '../../types.js';
import type { OnlineEvent } from '../events.js';
import type { OnlineState } from '../snapshot.js';
import { keysOf, OWN_NAMES, type UserNames } from './pseudonyms.js';

/** The name of a user of a checkpoint, which may be a pseudonym already: a service with pseudonyms has written it, perhaps before a rotation of keys. */
const renamed = (names: UserNames, user: string): string =>
  user === '' || keysOf(user) > 0 ? names.renewed(user) : names.of(user);

export function renamedCatalogue<C extends Pick<Catalogue, 'users'>>(catalogue: C, names: UserNames): C {
  return names === OWN_NAMES
    ? catalogue
    : { ...catalogue, users: catalogue.users.map((user) => renamed(names, user)) };
}

/** What a checkpoint that was served brings along: whose histories and own weights it holds, and what it says of events. */
export function renamedState<O extends OnlineState | undefined>(online: O, names: UserNames): O {
  if (online === undefined || names === OWN_NAMES) return online;
  const { state } = online;
  const { ids, learning, queue } = state;
  const all = <S extends { readonly users: readonly string[] }>(of: S) => ({
    ...of,
    users: of.users.map((user) => renamed(names, user)),
  });
  const offsets = Object.entries(state.offsets).map(([name, one]) => [name, all(one)]);
  return {
    ...online,
    state: {
      ...state,
      histories: all(state.histories),
      offsets: Object.fromEntries(offsets),
      ids: { ...ids, ids: ids.ids.map(names.renewed) },
      learning: { ...learning, budget: all(learning.budget) },
      queue: {
        ...queue,
        waiting: queue.waiting.map((one) =>
          'event' in one
            ? { ...one, event: renewedEvent(one.event, names) }
            : { ...one, user: renamed(names, one.user) },
        ),
      },
    },
  };
}

/** A journalled event after a rotation of keys. */
export function renewedEvent<E extends OnlineEvent>(event: E, { renewed }: UserNames): E {
  const { context, requestId } = event;
  const told = <V>(value: V) => (typeof value === 'string' ? renewed(value) : value);
  return {
    ...event,
    id: renewed(event.id),
    user: renewed(event.user),
    ...(requestId === undefined ? {} : { requestId: renewed(requestId) }),
    ...(context === undefined
      ? {}
      : {
          context: Object.fromEntries(
            Object.entries(context).map(([name, value]) => [renewed(name), told(value)]),
          ),
        }),
  };
}
