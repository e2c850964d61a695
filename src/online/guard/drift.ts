import type { Ranked } from '../prequential.js';
import { gainOf } from '../prequential.js';
import { Adwin, type Drift, type DriftDetector } from './adwin.js';
import { PageHinkley } from './page-hinkley.js';

export interface DriftConfig {
  /** δ of ADWIN; 0 = off. */
  readonly adwin: number;
  readonly pageHinkley: { readonly delta: number; readonly threshold: number };
}

export interface FoundDrift extends Drift {
  readonly detector: 'ADWIN' | 'Page–Hinkley';
  /** Journal number of the event with which the change began, as far as it is remembered. */
  readonly since: number;
}

const K = 10;
/** Events whose numbers are remembered. */
const REMEMBERED = 1000;

/** Watches how well what is served ranks each event before it is learned, and says where that becomes worse. */
export class DriftWatch {
  private readonly detectors: readonly (readonly [FoundDrift['detector'], DriftDetector])[];
  private seqs: number[] = [];
  /** The event of each detector's last alarm: what began before it has been said. */
  private readonly said = new Map<string, number>();

  /**
   * @param items of the catalogue
   * @param readsLogLoss whether the scores are logits of a softmax; else it is NDCG that is watched
   */
  constructor(
    { adwin, pageHinkley }: DriftConfig,
    private readonly items: number,
    private readonly readsLogLoss: boolean,
  ) {
    const { delta, threshold } = pageHinkley;
    this.detectors = [
      ...(adwin > 0 ? [['ADWIN', new Adwin(adwin)] as const] : []),
      ...(threshold > 0 ? [['Page–Hinkley', new PageHinkley(delta, threshold)] as const] : []),
    ];
  }

  /** Takes in an event. A change for the better is no drift. */
  add(seq: number, served: Ranked): FoundDrift[] {
    const loss = this.lossOf(served);
    if (Number.isNaN(loss)) return [];
    this.seqs.push(seq);
    if (this.seqs.length > REMEMBERED) this.seqs.shift();
    return this.detectors.flatMap(([detector, one]) => {
      const drift = one.add(loss);
      if (!drift || drift.after <= drift.before) return [];
      const since = this.seqs.at(-drift.length) ?? this.seqs[0]!;
      if (since <= (this.said.get(detector) ?? -1)) return [];
      this.said.set(detector, seq);
      return { detector, ...drift, since };
    });
  }

  reset(): void {
    this.seqs = [];
    for (const [, one] of this.detectors) one.reset();
  }

  /** Between 0 and 1: half is what guessing among all items costs. */
  private lossOf({ rank, logLoss }: Ranked): number {
    if (!this.readsLogLoss) return 1 - gainOf(rank, K);
    return Math.min(1, logLoss / (2 * Math.log(this.items)));
  }
}
