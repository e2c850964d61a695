import { z } from 'zod';

/** Why an event beyond its user's budget is skipped. */
export const OVER_BUDGET = 'user budget';

export interface UserBudgetConfig {
  /** Most events of one user among the last `window`; 0 = no bound. */
  readonly events: number;
  readonly window: number;
}

/** Users of the newest events, oldest first, as indices into their names. */
export const userBudgetSchema = z.object({ users: z.array(z.string()), order: z.array(z.number().int()) });

/** A snapshot of a budget as if one user had taught nothing. */
export function withoutUser(
  { users, order }: z.output<typeof userBudgetSchema>,
  user: string,
): z.output<typeof userBudgetSchema> {
  const at = users.indexOf(user);
  if (at < 0) return { users, order };
  const kept = order.filter((one) => one !== at).map((one) => one - Number(one > at));
  return { users: users.filter((one) => one !== user), order: kept };
}

/**
 * Bounds the share of one user in what moves weights that all share: of the last `window` events that were learned, at most `events` are theirs.
 * The window moves by events that were learned alone, so that nobody gets further by sending more. Deterministic in the journal's order.
 */
export class UserBudget {
  private readonly ring: string[] = [];
  private next = 0;
  /** Events that were not let through, since the start. */
  limited = 0;
  private readonly counts = new Map<string, number>();

  constructor(private readonly config: UserBudgetConfig) {}

  /** Whether one more event of a user may be learned; it is counted then. */
  take(user: string): boolean {
    const { events, window } = this.config;
    if (events === 0) return true;
    const leaving = this.ring[this.next];
    // What leaves the window to make room does not count any more.
    const own = (this.counts.get(user) ?? 0) - Number(leaving === user);
    if (own >= events) {
      this.limited++;
      return false;
    }
    if (leaving !== undefined) this.count(leaving, -1);
    this.ring[this.next] = user;
    this.count(user, 1);
    this.next = (this.next + 1) % window;
    return true;
  }

  /** Events of a user among the last `window`. */
  of(user: string): number {
    return this.counts.get(user) ?? 0;
  }

  forget(user: string): void {
    this.load(withoutUser(this.snapshot(), user));
  }

  snapshot(): z.output<typeof userBudgetSchema> {
    const index = new Map<string, number>();
    const order = this.inOrder().map((user) => {
      if (!index.has(user)) index.set(user, index.size);
      return index.get(user)!;
    });
    return { users: [...index.keys()], order };
  }

  /** Takes up what `snapshot` gave, of this window or another. */
  load({ users, order }: z.output<typeof userBudgetSchema>): void {
    const { window } = this.config;
    this.ring.length = 0;
    this.counts.clear();
    for (const at of order.slice(-window)) {
      this.ring.push(users[at]!);
      this.count(users[at]!, 1);
    }
    this.next = this.ring.length % window;
  }

  private inOrder(): string[] {
    // Before the ring is full its oldest entry is the first.
    const full = this.ring.length === this.config.window;
    return full ? [...this.ring.slice(this.next), ...this.ring.slice(0, this.next)] : [...this.ring];
  }

  private count(user: string, by: number): void {
    const count = (this.counts.get(user) ?? 0) + by;
    if (count === 0) this.counts.delete(user);
    else this.counts.set(user, count);
  }
}
