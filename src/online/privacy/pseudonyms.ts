import { createHmac } from 'node:crypto';
import type { Catalogue } from '../../types.js';
import type { OnlineEvent } from '../events.js';
import type { OnlineState } from '../snapshot.js';

/** Under which name users are known inside: in journal, snapshots, logs and metrics. */
export interface UserNames {
  /** The name of a user, by the id that requests have. */
  of(user: string): string;
  /** An event as the journal holds it. */
  event(event: OnlineEvent): OnlineEvent;
}

/** Users are known by their own ids. */
export const OWN_NAMES: UserNames = { of: (user) => user, event: (event) => event };

/** What names a list: the service has drawn it at random, and it stands in the log of impressions as it is. */
const REQUEST_ID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/** What a pseudonym looks like. */
const PSEUDONYM = /^p_[\w-]{43}$/;

/**
 * Users are known by HMAC-SHA-256 of their ids: who does not have the key can neither read an id from a pseudonym nor try ids out, which a plain hash
 * would allow. Ids of events, what should be ids of requests and is not, and texts in the context, that hold the user's id are replaced as a whole.
 * @param key 32 random bytes
 */
export function pseudonyms(key: Buffer): UserNames {
  const of = (text: string): string => `p_${createHmac('sha256', key).update(text).digest('base64url')}`;
  const told = <V>(value: V, user: string): V | string =>
    typeof value === 'string' && value.includes(user) ? of(value) : value;
  return {
    of,
    event(event) {
      const { user, id, requestId, context } = event;
      const entries = Object.entries(context ?? {});
      return {
        ...event,
        id: told(id, user),
        user: of(user),
        ...(requestId === undefined || (REQUEST_ID.test(requestId) && requestId !== user)
          ? {}
          : { requestId: told(requestId, user) }),
        ...(context === undefined
          ? {}
          : {
              context: Object.fromEntries(
                entries.map(([name, value]) => [told(name, user), told(value, user)]),
              ),
            }),
      };
    },
  };
}

/** The name of a user of a checkpoint, which may be a pseudonym already: a service with pseudonyms has written it. */
const renamed = (names: UserNames, user: string): string =>
  user === '' || PSEUDONYM.test(user) ? user : names.of(user);

export function renamedCatalogue<C extends Pick<Catalogue, 'users'>>(catalogue: C, names: UserNames): C {
  return names === OWN_NAMES
    ? catalogue
    : { ...catalogue, users: catalogue.users.map((user) => renamed(names, user)) };
}

/** What a checkpoint that was served brings along for another journal: histories and users' own weights. */
export function renamedState<O extends OnlineState | undefined>(online: O, names: UserNames): O {
  if (online === undefined || names === OWN_NAMES) return online;
  const { state } = online;
  const all = <S extends { readonly users: readonly string[] }>(of: S): S => ({
    ...of,
    users: of.users.map((user) => renamed(names, user)),
  });
  const offsets = Object.entries(state.offsets).map(([name, one]) => [name, all(one)]);
  return {
    ...online,
    state: { ...state, histories: all(state.histories), offsets: Object.fromEntries(offsets) },
  };
}
