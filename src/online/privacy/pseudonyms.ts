import { createHmac } from 'node:crypto';
import type { OnlineEvent } from '../events.js';

/** Under which name users are known inside: in journal, snapshots, logs and metrics. */
export interface UserNames {
  /** The name of a user, by the id that requests have. */
  of(user: string): string;
  /** An event as the journal holds it. */
  event(event: OnlineEvent): OnlineEvent;
  /** What a name of before a rotation of keys has become; anything else as it is. */
  renewed(name: string): string;
}

/** Users are known by their own ids. */
export const OWN_NAMES: UserNames = {
  of: (user) => user,
  event: (event) => event,
  renewed: (name) => name,
};

/** What names a list: the service has drawn it at random, and it stands in the log of impressions as it is. */
const REQUEST_ID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;

/** What a pseudonym looks like, and by how many keys it was made: `p_…` by one, `p2_…` by two. */
const PSEUDONYM = /^p(\d*)_[\w-]{43}$/;

/** By how many keys a pseudonym was made; 0 where a text is none. */
export function keysOf(text: string): number {
  const [whole, keys] = PSEUDONYM.exec(text) ?? [];
  return whole === undefined ? 0 : Number(keys || 1);
}

/**
 * Users are known by HMAC-SHA-256 of their ids: who does not have the key can neither read an id from a pseudonym nor try ids out, which a plain hash
 * would allow. With several keys each takes the name that those before it made, so that a name made by some of them can be brought up to the newest without the id.
 * Ids of events, what should be ids of requests and is not, and texts in the context, that hold the user's id or look like a pseudonym are replaced as a whole.
 * @param keys 32 random bytes each, the oldest first
 */
export function pseudonyms(keys: readonly Buffer[]): UserNames {
  /** The name that those after the first `done` keys make of a text. */
  const from = (text: string, done: number): string =>
    keys.slice(done).reduce((name, key, i) => {
      const nth = done + i + 1;
      return `p${nth === 1 ? '' : nth}_${createHmac('sha256', key).update(name).digest('base64url')}`;
    }, text);
  const of = (text: string): string => from(text, 0);
  const told = <V>(value: V, user: string): V | string =>
    typeof value === 'string' && (value.includes(user) || keysOf(value) > 0) ? of(value) : value;
  return {
    of,
    renewed: (name) => {
      const made = keysOf(name);
      return made > 0 ? from(name, made) : name;
    },
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
