import { type Interval, meanByUser } from '../intervals.js';
import { gainOf, type Ranked } from '../prequential.js';

export interface ComparisonConfig {
  /** Newest events that count. */
  readonly window: number;
  readonly minimumEvents: number;
  readonly minimumUsers: number;
  /** How much worse is still taken for the same. */
  readonly margin: { readonly logLoss: number; readonly ndcg: number };
}

export interface Verdict {
  /** `few`: too few events to say; `doubtful`: worse than the margin allows, and it may be chance; `worse`: it is not. */
  readonly state: 'few' | 'fine' | 'doubtful' | 'worse';
  /** What is served minus the frozen model. */
  readonly logLoss: Interval;
  readonly ndcg: Interval;
  readonly events: number;
  readonly users: number;
}

interface Difference {
  readonly user: string;
  readonly logLoss: number;
  readonly ndcg: number;
}

const K = 10;
/** Events between two looks. */
const EVERY = 50;

/**
 * What is served against the model as it was, on the same recent events, each ranked before it was learned. Every user counts once, with the
 * mean of their events: who floods the stream with events that only a spoiled model ranks well is one voice among many.
 */
export class Comparison {
  private entries: Difference[] = [];
  private since = 0;

  /** @param readsLogLoss whether the scores are logits of a softmax: without, its log-loss says nothing */
  constructor(
    private readonly config: ComparisonConfig,
    private readonly readsLogLoss: boolean,
  ) {}

  /** Takes in an event. @returns whether it is time to look at the verdict */
  add(user: string, served: Ranked, frozen: Ranked): boolean {
    this.entries.push({
      user,
      logLoss: served.logLoss - frozen.logLoss,
      ndcg: gainOf(served.rank, K) - gainOf(frozen.rank, K),
    });
    if (this.entries.length > this.config.window) this.entries.shift();
    this.since = (this.since + 1) % EVERY;
    return this.since === 0;
  }

  verdict(): Verdict {
    const { minimumEvents, minimumUsers, margin } = this.config;
    const byUser = new Map<string, Difference[]>();
    for (const one of this.entries) {
      const own = byUser.get(one.user);
      if (own) own.push(one);
      else byUser.set(one.user, [one]);
    }
    const users = [...byUser.keys()];
    const over = (of: (one: Difference) => number): Interval =>
      meanByUser(
        [...byUser.values()].map((own) => mean(own.map(of))),
        users,
      );
    const [logLoss, ndcg] = [over((one) => one.logLoss), over((one) => one.ndcg)];
    const found = { logLoss, ndcg, events: this.entries.length, users: users.length };
    if (found.events < minimumEvents || found.users < minimumUsers) return { state: 'few', ...found };
    const worse =
      (this.readsLogLoss && logLoss.low > margin.logLoss) || ndcg.high < -margin.ndcg ? 'worse' : undefined;
    const doubtful =
      (this.readsLogLoss && logLoss.mean > margin.logLoss) || ndcg.mean < -margin.ndcg ? 'doubtful' : 'fine';
    return { state: worse ?? doubtful, ...found };
  }

  /** Forgets everything: what is served is another model now. */
  reset(): void {
    this.entries = [];
    this.since = 0;
  }
}

/** NaN values are left out. */
function mean(values: readonly number[]): number {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** What a verdict says, in words. */
export function saidOf({ logLoss, ndcg, events, users }: Verdict): string {
  const text = ({ mean, low, high }: Interval): string =>
    `${mean.toFixed(3)} (95 % ${low.toFixed(3)} … ${high.toFixed(3)})`;
  return `over ${events} events of ${users} users its log-loss differs by ${text(logLoss)}, its NDCG@${K} by ${text(ndcg)}`;
}
