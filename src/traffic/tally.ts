import { ServiceError } from '../client/index.js';
import { Histogram, type Quantiles } from './histogram.js';

/** Times of a route's answers with one status, in milliseconds. */
export interface RouteTimes extends Quantiles {
  readonly route: string;
  /** HTTP status; 0 where there was no answer. */
  readonly status: number;
  readonly perSecond: number;
}

/** Times by route and status, and errors by code. */
export class Tally {
  private readonly times = new Map<string, { route: string; status: number; histogram: Histogram }>();
  readonly errors: Record<string, number> = {};

  constructor(private readonly now: () => number) {}

  /**
   * Does something and takes its time; a ServiceError is counted and not thrown.
   * @param since when its time begins
   * @param counts false during the warm-up
   */
  async time<T>(
    route: string,
    since: number,
    counts: boolean,
    work: () => Promise<T>,
  ): Promise<T | undefined> {
    try {
      const result = await work();
      if (counts) this.add(route, 200, since);
      return result;
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      if (counts) {
        this.add(route, error.status, since);
        this.errors[error.code] = (this.errors[error.code] ?? 0) + 1;
      }
      return undefined;
    }
  }

  private add(route: string, status: number, since: number): void {
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
