/** Two lists of items, of candidates and of all. */
export interface Compared {
  readonly found: Int32Array;
  readonly exact: Int32Array;
}

/** One of so many lists of candidates is compared with the exact one, the first of them too. */
const ONE_OF = 1000;

/** How much of exact lists those of candidates have. */
export class Comparisons {
  private offered = 0;
  private found = 0;
  private asked = 0;
  private readonly running = new Set<Promise<void>>();

  /** @param failed is told what kept a comparison from being made */
  constructor(private readonly failed: (error: unknown) => void) {}

  /** Makes the comparison of one list in a thousand. Nobody waits for it. */
  offer(compare: () => Promise<Compared>): void {
    if (this.offered++ % ONE_OF !== 0) return;
    const one: Promise<void> = compare()
      .then(({ found, exact }) => {
        const had = new Set(found);
        this.asked += exact.length;
        for (const item of exact) if (had.has(item)) this.found++;
      }, this.failed)
      .finally(() => this.running.delete(one));
    this.running.add(one);
  }

  /** Resolves once none is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.running);
  }

  /** Share of exact lists' items that were found; NaN before the first. */
  get recall(): number {
    return this.found / this.asked;
  }
}
