import type { OutcomeRecord } from './records.js';

/** Collects what becomes of the events of one update. Who is not skipped is learned. */
export class Dispositions {
  private readonly skipped = new Map<string, number[]>();

  skip(reason: string, seq: number): void {
    const seqs = this.skipped.get(reason);
    if (seqs) seqs.push(seq);
    else this.skipped.set(reason, [seq]);
  }

  /** Numbers of the events skipped for each reason. */
  get reasons(): ReadonlyMap<string, readonly number[]> {
    return this.skipped;
  }

  record(through: number): OutcomeRecord {
    return {
      type: 'outcome',
      through,
      ...(this.skipped.size > 0 ? { skipped: Object.fromEntries(this.skipped) } : {}),
    };
  }
}

/** Whether two outcomes say the same of the same events. */
export function sameOutcome(a: OutcomeRecord, b: OutcomeRecord): boolean {
  const flat = ({ skipped = {} }: OutcomeRecord): string =>
    Object.entries(skipped)
      .flatMap(([reason, seqs]) => seqs.map((seq) => `${seq} ${reason}`))
      .sort()
      .join('\n');
  return a.through === b.through && flat(a) === flat(b);
}
