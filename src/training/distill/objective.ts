import * as tf from '@tensorflow/tfjs-core';
import type { PassContext } from '../../compute/dropout.js';
import type { Params } from '../../compute/parameters.js';
import type { Inputs } from '../../compute/step.js';
import { featureAlignment, relationalAlignment } from '../../model/losses/distillation/feature-alignment.js';
import { rankingLoss } from '../../model/losses/distillation/ranking.js';
import { softLabels } from '../../model/losses/distillation/soft-labels.js';
import { LOSSES } from '../../model/losses/index.js';
import type { Model } from '../../model/model.js';
import { encodeAt, timesBatchWeight } from '../objective.js';
import type { RecordLayout } from './record.js';
import type { DistillConfig } from './schema.js';

/** The parameter that turns the student's states into the teacher's features; no part of the student. */
export const PROJECTION = 'alignment.projection';

/** Whether the losses of a config read the catalogue's vectors whole. */
export function readsWhole({ hard, soft }: DistillConfig): boolean {
  return (
    (hard.weight > 0 && LOSSES[hard.loss].readsCatalogue) ||
    (soft.weight > 0 && soft.candidates !== 'sampled')
  );
}

/** The scalar that distillation minimises: the sum of its losses, each times its weight. */
export function distillObjective(config: DistillConfig, model: Model, layout: RecordLayout) {
  const { hard, soft, ranking, alignment } = config;
  const whole = readsWhole(config);
  return (params: Params, inputs: Inputs, pass: PassContext): tf.Scalar => {
    const { states } = encodeAt(model, params, inputs, pass);
    const labels = { model, params, states, inputs, pass };
    const parts: tf.Scalar[] = [];
    const add = (weight: number, loss: () => tf.Scalar): void => {
      if (weight > 0) parts.push(tf.mul(loss(), weight));
    };
    add(hard.weight, () => LOSSES[hard.loss].compute(labels));
    const answers = {
      ids: inputs.teacherIds as tf.Tensor2D,
      probabilities: inputs.teacherProbabilities as tf.Tensor2D,
      top: layout.top,
    };
    const context = { ...labels, answers, all: whole ? model.candidates?.(params, 'all') : undefined };
    add(soft.weight, () => softLabels(context, soft));
    add(ranking.weight, () => rankingLoss(context, ranking.top));
    add(alignment.weight, () => {
      const layer = inputs.teacherLayer as tf.Tensor2D;
      const weights = inputs.weights!;
      if (alignment.kind === 'relational') return relationalAlignment(states, layer, weights);
      const projection = params.get(PROJECTION) as tf.Tensor2D;
      return featureAlignment(alignment.kind, states, projection, layer, weights);
    });
    return timesBatchWeight(tf.addN(parts) as tf.Scalar, inputs);
  };
}
