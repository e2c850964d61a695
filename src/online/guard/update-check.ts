/** What an update would do, before it does: loss and norm of the gradient, per weight of its events. */
export interface Update {
  readonly loss: number;
  readonly gradientNorm: number;
}

export const REFUSALS = {
  loss: 'loss not finite',
  gradient: 'gradient not finite',
  large: 'gradient too large',
} as const;

/** Norms that the median is of. */
const WINDOW = 101;
/** Before there are so many, none is too large. */
const FEWEST = 20;

/**
 * Refuses updates that no learning should make: of numbers that are none, or with a gradient many times as large as the median of the updates
 * before (a running median is not moved by the outliers it is to find). What it refuses leaves no trace in the parameters.
 */
export class UpdateCheck {
  /** Of the newest updates that were made, oldest first. */
  private norms: number[] = [];
  /** Updates refused one after the other. */
  refused = 0;

  /** @param most times the median; 0 = no limit */
  constructor(private readonly most: number) {}

  /** Why an update is refused; undefined lets it through. Deterministic: equal updates in equal order are judged alike. */
  judge(update: Update): string | undefined {
    const reason = this.reason(update);
    if (reason !== undefined) {
      this.refused++;
      return reason;
    }
    this.refused = 0;
    this.norms.push(update.gradientNorm);
    if (this.norms.length > WINDOW) this.norms.shift();
    return undefined;
  }

  snapshot(): readonly number[] {
    return [...this.norms];
  }

  load(norms: readonly number[]): void {
    this.norms = [...norms];
    this.refused = 0;
  }

  /** What `judge` would say, without a trace: neither counted nor compared with later. */
  reason({ loss, gradientNorm }: Update): string | undefined {
    if (!Number.isFinite(loss)) return REFUSALS.loss;
    if (!Number.isFinite(gradientNorm)) return REFUSALS.gradient;
    if (this.most === 0 || this.norms.length < FEWEST) return undefined;
    const median = Float64Array.from(this.norms).sort()[this.norms.length >> 1]!;
    return gradientNorm > this.most * median ? REFUSALS.large : undefined;
  }
}
