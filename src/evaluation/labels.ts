/** Metrics of single predictions: labels (0 or 1) and ratings. */

/**
 * Area under the ROC curve: the probability that a positive is scored above a negative, ties half (Mann–Whitney U).
 *
 * @returns NaN where one class is missing: the area is not defined
 */
export function auc(scores: ArrayLike<number>, labels: ArrayLike<number>): number {
  const n = scores.length;
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
  let positives = 0;
  let rankSum = 0;
  for (let start = 0; start < n; ) {
    let end = start + 1;
    while (end < n && scores[order[end]!]! === scores[order[start]!]!) end++;
    const rank = (start + 1 + end) / 2;
    for (let i = start; i < end; i++) {
      if (labels[order[i]!]! > 0) {
        positives++;
        rankSum += rank;
      }
    }
    start = end;
  }
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * (n - positives));
}

export interface LabelMetrics {
  readonly count: number;
  readonly auc: number;
  /** Mean negative log-likelihood in nats. */
  readonly logloss: number;
  /** Share right at probability 0.5. */
  readonly accuracy: number;
  /** Share of the larger class: what a constant answer gets right. */
  readonly majority: number;
}

/** Metrics of logits against labels. The loss is computed from the logit, softplus(z) − y z, and so never overflows. */
export function labelMetrics(logits: ArrayLike<number>, labels: ArrayLike<number>): LabelMetrics {
  const count = logits.length;
  let loss = 0;
  let right = 0;
  let positives = 0;
  for (let i = 0; i < count; i++) {
    const z = logits[i]!;
    const y = labels[i]! > 0 ? 1 : 0;
    loss += Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - y * z;
    if (z > 0 === (y === 1)) right++;
    positives += y;
  }
  return {
    count,
    auc: auc(logits, labels),
    logloss: loss / count,
    accuracy: right / count,
    majority: Math.max(positives, count - positives) / count,
  };
}

export interface RatingMetrics {
  readonly count: number;
  readonly rmse: number;
  readonly mae: number;
}

export function ratingMetrics(predictions: ArrayLike<number>, ratings: ArrayLike<number>): RatingMetrics {
  const count = predictions.length;
  let squares = 0;
  let absolute = 0;
  for (let i = 0; i < count; i++) {
    const error = predictions[i]! - ratings[i]!;
    squares += error * error;
    absolute += Math.abs(error);
  }
  return { count, rmse: Math.sqrt(squares / count), mae: absolute / count };
}
