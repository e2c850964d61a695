import { sigmoid } from './logistic.js';

/** Means over the window; NaN before the first event. */
export interface ClickFigures {
  /** Mean −ln p(label). */
  readonly logLoss: number;
  /** Share of clicks. */
  readonly rate: number;
  /** Sum of probabilities over clicks (He et al. 2014): 1 is right, above 1 promises too many. */
  readonly calibration: number;
}

/** Prequential quality of the click model: each event is foretold before it is learned (Dawid 1984), over the last `window` of them. */
export class ClickQuality {
  private readonly logits: Float64Array;
  private readonly labels: Uint8Array;
  count = 0;

  constructor(readonly window: number) {
    this.logits = new Float64Array(window);
    this.labels = new Uint8Array(window);
  }

  record(logit: number, label: 0 | 1): void {
    const at = this.count++ % this.window;
    this.logits[at] = logit;
    this.labels[at] = label;
  }

  figures(): ClickFigures {
    const n = Math.min(this.count, this.window);
    let [loss, foretold, clicks] = [0, 0, 0];
    for (let i = 0; i < n; i++) {
      loss += logLoss(this.logits[i]!, this.labels[i] as 0 | 1);
      foretold += sigmoid(this.logits[i]!);
      clicks += this.labels[i]!;
    }
    return { logLoss: loss / n, rate: clicks / n, calibration: foretold / clicks };
  }
}

/** −ln p(label), exact however sure the model is. */
export function logLoss(logit: number, label: 0 | 1): number {
  const wrong = label === 1 ? -logit : logit;
  return Math.max(wrong, 0) + Math.log1p(Math.exp(-Math.abs(wrong)));
}
