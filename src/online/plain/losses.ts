import { counts } from '../negatives.js';

/** Loss of one example from the logits of its target (first) and negatives; their gradients take the logits' place. */
export type PlainLoss = (
  logits: Float64Array,
  given: { readonly offsets: Float32Array; readonly value: number },
) => number;

/** What `nextItemLoss` and `valueLoss` compute of one example of weight 1, over arrays. */
export const PLAIN_LOSSES: Readonly<Record<'softmax' | 'bce' | 'mse', PlainLoss>> = {
  softmax(logits, { offsets }) {
    const target = logits[0]!;
    let most = target;
    for (let j = 1; j < logits.length; j++) {
      logits[j] = logits[j]! + offsets[j - 1]!;
      most = Math.max(most, logits[j]!);
    }
    let total = 0;
    for (let j = 0; j < logits.length; j++) {
      logits[j] = Math.exp(logits[j]! - most);
      total += logits[j]!;
    }
    for (let j = 0; j < logits.length; j++) logits[j] = logits[j]! / total;
    logits[0] = logits[0]! - 1;
    return most + Math.log(total) - target;
  },
  bce(logits, { offsets }) {
    const count = logits.length - 1;
    let loss = softplus(-logits[0]!);
    logits[0] = sigmoid(logits[0]!) - 1;
    for (let j = 1; j <= count; j++) {
      const share = counts(offsets[j - 1]!) ? 1 / count : 0;
      loss += share * softplus(logits[j]!);
      logits[j] = share * sigmoid(logits[j]!);
    }
    return loss;
  },
  mse(logits, { value }) {
    const off = logits[0]! - value;
    logits[0] = 2 * off;
    return off * off;
  },
};

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
