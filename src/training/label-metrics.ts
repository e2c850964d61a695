import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../compute/dropout.js';
import { uploadBatch } from '../compute/eager-step.js';
import type { ParameterStore } from '../compute/parameters.js';
import type { Batch } from '../compute/step.js';
import { single } from '../model/losses/reduce.js';
import type { Model } from '../model/model.js';
import { encodeAt } from './objective.js';

/** Predicted logits (or values) of a label batch's pairs, [P]. */
export async function predictPairs(model: Model, store: ParameterStore, batch: Batch): Promise<Float32Array> {
  const params = store.reader();
  const logits = tf.tidy(() => {
    const inputs = uploadBatch(batch);
    const { states } = encodeAt(model, params, inputs, INFERENCE);
    return single((c) => model.logits(params, states, c, INFERENCE), inputs.targets!);
  });
  const values = (await logits.data()) as Float32Array;
  logits.dispose();
  return values;
}

export interface LabelMetrics {
  /** Mean loss: log-loss, or squared error for regression. */
  readonly loss: number;
  /** Share of labels on the right side of probability ½; absent for regression. */
  readonly accuracy?: number;
  /** Share of the more frequent label: what always answering it would give. */
  readonly majority?: number;
  readonly rmse?: number;
}

/** Loss and accuracy over label batches, beside the majority class's rate (or RMSE for regression). */
export async function labelMetrics(
  model: Model,
  store: ParameterStore,
  batches: readonly Batch[],
  regression: boolean,
): Promise<LabelMetrics> {
  let loss = 0;
  let right = 0;
  let positive = 0;
  let n = 0;
  for (const batch of batches) {
    const logits = await predictPairs(model, store, batch);
    const labels = batch.labels!.data;
    const weights = batch.weights!.data;
    for (let i = 0; i < logits.length; i++) {
      if (weights[i]! === 0) continue;
      const x = logits[i]!;
      const y = labels[i]!;
      n++;
      if (regression) {
        loss += (x - y) ** 2;
        continue;
      }
      loss += Math.max(x, 0) - x * y + Math.log1p(Math.exp(-Math.abs(x)));
      if (x > 0 === y > 0.5) right++;
      if (y > 0.5) positive++;
    }
  }
  if (n === 0) return { loss: Number.NaN };
  if (regression) return { loss: loss / n, rmse: Math.sqrt(loss / n) };
  return { loss: loss / n, accuracy: right / n, majority: Math.max(positive, n - positive) / n };
}
