/** How long a connection may hold the service up, in milliseconds. Many that dawdle (slowloris) would otherwise take every socket. */
export interface Timeouts {
  /** For a request's headers to arrive. */
  readonly headers: number;
  /** For a whole request to arrive, and for answers under way when the service stops to be taken. */
  readonly request: number;
  /** Without a request on an open connection. Longer than the minute that many proxies keep theirs, so that they close first. */
  readonly keepAlive: number;
  /** How often the first two are looked after: either may last longer by this. */
  readonly check: number;
}

export const TIMEOUTS: Timeouts = { headers: 10_000, request: 30_000, keepAlive: 72_000, check: 5_000 };
