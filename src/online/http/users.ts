/**
 * The user ids that a request is about, with how often each is named: once a request for a list or a state, once an event. Reads
 * requests that nobody has checked yet: what is no user id is left to the schemas.
 */
export function usersOf(query: unknown, body: unknown): Map<string, number> {
  const users = new Map<string, number>();
  const add = (of: unknown): void => {
    const user = field(of, 'user');
    if (typeof user !== 'string' && typeof user !== 'number') return;
    const id = String(user);
    users.set(id, (users.get(id) ?? 0) + 1);
  };
  const events = Array.isArray(body) ? body : field(body, 'events');
  if (Array.isArray(events)) events.forEach(add);
  else add(body);
  add(query);
  return users;
}

const field = (of: unknown, name: string): unknown =>
  typeof of === 'object' && of !== null && Object.hasOwn(of, name)
    ? (of as Record<string, unknown>)[name]
    : undefined;
