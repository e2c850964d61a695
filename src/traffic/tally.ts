import { ServiceError } from '../client/index.js';
import { Histogram, type Quantiles } from './histogram.js';

/** Times of a route's answers with one status, in milliseconds. */
export interface RouteTimes extends Quantiles {
  readonly route: string;
  /** HTTP status; 0 where there was no answer. */
  readonly status: number;
  readonly perSecond: number;
}

/** Times by route and status, and errors by code, of what began after the warm-up. */
export class Tally {
  private readonly times = new Map<string, { route: string; status: number; histogram: Histogram }>();
  readonly errors: Record<string, number> = {};

  /** @param counted milliseconds of the clock `now` after which work counts */
  constructor(
    private readonly counted: number,
    private readonly now: () => number,
  ) {}

  /** Does something that counts from `since`; a ServiceError is counted and not thrown. */
  async time<T>(route: string, since: number, work: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await work();
      this.add(route, 200, since);
      return result;
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      this.add(route, error.status, since);
      if (since >= this.counted) this.errors[error.code] = (this.errors[error.code] ?? 0) + 1;
      return undefined;
    }
  }

  private add(route: string, status: number, since: number): void {
    if (since < this.counted) return;
    const key = `${route} ${status}`;
    const found = this.times.get(key) ?? { route, status, histogram: new Histogram() };
    this.times.set(key, found);
    found.histogram.add(this.now() - since);
  }

  routes(seconds: number): RouteTimes[] {
    return [...this.times.values()]
      .map(({ route, status, histogram }) => ({
        ...{ route, status, perSecond: histogram.count / seconds },
        ...histogram.quantiles(),
      }))
      .sort((a, b) => (a.route === b.route ? a.status - b.status : a.route < b.route ? -1 : 1));
  }

  /** Share of answers by milliseconds, for a plot. */
  curves(): { readonly route: string; readonly share: number; readonly value: number }[] {
    return [...this.times.values()].flatMap(({ route, status, histogram }) =>
      histogram.curve().map((point) => ({ route: `${route} ${status}`, ...point })),
    );
  }
}
