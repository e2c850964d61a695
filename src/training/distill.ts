import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { compileStep } from '../compute/compile.js';
import { INFERENCE } from '../compute/dropout.js';
import { ParameterStore, type Params } from '../compute/parameters.js';
import type { Inputs } from '../compute/step.js';
import { path } from '../config/fields.js';
import type { Dataset } from '../data/dataset.js';
import { RecsysError } from '../errors.js';
import { glorot } from '../model/initial.js';
import { featureAlignment, softLabels } from '../model/losses/distillation.js';
import { LOSSES } from '../model/losses/index.js';
import type { Model } from '../model/model.js';
import { createModel, modelSchema } from '../model/registry.js';
import type { RestoredModel } from '../model/restore.js';
import { atPositions } from '../model/select.js';
import { Random } from '../random.js';
import type { StageContext } from '../types.js';
import { growCatalogue, requireSameItems } from './growth.js';
import { encodeAt, timesBatchWeight } from './objective.js';
import { commonTraining, lossName, targetsSchema } from './schema.js';
import {
  keepsSparse,
  runFit,
  type StageHooks,
  type TrainedModel,
  taskBatches,
  updateOptions,
} from './stage.js';

const PROJECTION = 'alignment.projection';

/** `recsys distill`: the YAML's keys. */
export const distillSchema = z.strictObject({
  ...commonTraining,
  teacher: path('checkpoint of the teacher'),
  student: modelSchema
    .prefault({ name: 'transformer', width: 32, depth: 1, heads: 1 })
    .describe('the student'),
  soft: z
    .strictObject({
      weight: z.number().min(0).default(1).describe('weight in the loss'),
      temperature: z.number().positive().default(2).describe('softens both distributions'),
      candidates: z
        .union([
          z.literal('all'),
          z.strictObject({ teacherTop: z.number().int().min(1).describe('items a position') }),
        ])
        .default('all')
        .describe('items compared: all, or the teacher’s top n at each position (for large catalogues)'),
    })
    .prefault({})
    .describe('soft labels: the teacher’s distribution over items'),
  hard: z
    .strictObject({
      weight: z.number().min(0).default(1).describe('weight in the loss'),
      loss: lossName.default('softmax').describe('loss on the items that were chosen'),
    })
    .prefault({})
    .describe('hard labels: the items that were chosen'),
  alignment: z
    .strictObject({
      weight: z.number().min(0).default(0).describe('weight in the loss'),
      layer: z
        .union([z.enum(['middle', 'top']), z.string().min(1)])
        .default('top')
        .describe('layer of the teacher'),
    })
    .prefault({})
    .describe(
      'feature alignment: the student’s state, through a learned projection, with a layer of the teacher',
    ),
  negatives: z.number().int().min(1).default(256).describe('negatives of a sampled hard loss'),
  targets: targetsSchema,
});

export type DistillConfig = z.output<typeof distillSchema>;

/** Trains a student on hard labels, on the teacher's soft labels, and towards the teacher's features. */
export async function distill(
  config: DistillConfig,
  source: Dataset,
  teacher: RestoredModel,
  hooks: StageHooks,
  context: StageContext,
): Promise<TrainedModel> {
  requireSameItems(teacher.catalogue, source, 'the teacher');
  if (teacher.model.positional && config.student.length > teacher.model.length) {
    throw new RecsysError(
      'CONFIG_INVALID',
      `student.length: ${config.student.length} is longer than the teacher's ${teacher.model.length}`,
    );
  }
  if (config.soft.weight + config.hard.weight + config.alignment.weight === 0) {
    throw new RecsysError(
      'CONFIG_INVALID',
      'soft.weight, hard.weight and alignment.weight are all 0: nothing is learned',
    );
  }
  const { dataset } = growCatalogue(teacher.catalogue, source);
  const model = createModel(config.student, dataset.catalogue);
  const inits = model.init(Random.of(config.seed, 'init'));
  const layer = config.alignment.weight > 0 ? layerIndex(teacher.model, config.alignment.layer) : -1;
  if (layer >= 0)
    inits.set(PROJECTION, glorot(Random.of(config.seed, 'projection'), model.width, teacher.model.width));
  const readsAll = LOSSES[config.hard.loss].readsCatalogue || config.soft.candidates === 'all';
  const store = new ParameterStore(inits, model.constants(), { sparseTables: keepsSparse(inits, readsAll) });
  const teacherStore = new ParameterStore(teacher.inits, teacher.model.constants());
  const step = compileStep({
    store,
    ...updateOptions(config),
    signals: teacherSignals(config, teacher, teacherStore.reader(), layer),
    loss: distillObjective(config, model),
  });
  const task = {
    ...config,
    task: 'next-item' as const,
    loss: config.hard.loss,
    masking: 1,
    label: { negatives: 0, minimumValue: undefined },
  };
  try {
    // A teacher with one state a user would see, in a window, the very items that are to be predicted.
    const positional = model.positional && teacher.model.positional;
    const readsTimes = [model, teacher.model].some((m) => m.readsTimes);
    const parts = taskBatches({ ...model, positional, readsTimes, masksItems: false }, dataset, task);
    const fit = await runFit('distill', { model, store, step, dataset, ...parts }, task, hooks, context);
    const tensors = new Map([...fit.best].filter(([name]) => name !== PROJECTION));
    return { config: config.student, catalogue: dataset.catalogue, tensors, fit };
  } finally {
    step.dispose();
    store.dispose();
    teacherStore.dispose();
  }
}

/** The teacher's layer asked for; CHECKPOINT_INCOMPATIBLE with those it has. */
export function layerIndex(teacher: Model, layer: string): number {
  const names = teacher.layerNames;
  if (layer === 'top') return names.length - 1;
  if (layer === 'middle') return Math.floor((names.length - 1) / 2);
  const index = names.indexOf(layer);
  if (index >= 0) return index;
  throw new RecsysError(
    'CHECKPOINT_INCOMPATIBLE',
    `alignment.layer: the teacher has no layer "${layer}" (it has ${names.join(', ')})`,
  );
}

/** Indices the teacher has no row for become 0: the student's vocabulary may have grown beyond it. */
function orUnknown(ids: tf.Tensor, rows: number): tf.Tensor {
  return tf.mul(ids, tf.cast(tf.less(ids, rows), 'int32'));
}

/** The teacher's view of a batch: logits over the candidates, the candidates where they are sampled, and the layer. */
function teacherSignals(config: DistillConfig, restored: RestoredModel, params: Params, layer: number) {
  const { model: teacher, catalogue } = restored;
  const { users, behaviours } = catalogue;
  return (inputs: Inputs): Record<string, tf.Tensor> =>
    tf.tidy(() => {
      const seen = {
        ...inputs,
        users: orUnknown(inputs.users!, users.length),
        behaviours: orUnknown(inputs.behaviours!, behaviours.length + 1),
      };
      const { encoded, states, length } = encodeAt(teacher, params, seen, INFERENCE);
      const signals: Record<string, tf.Tensor> = {};
      if (layer >= 0) signals.teacherLayer = atPositions(encoded.layers[layer]!, inputs.positions!, length);
      if (config.soft.weight === 0) return signals;
      const logits = teacher.logits(params, states, 'all', INFERENCE);
      const { candidates } = config.soft;
      if (candidates === 'all') return { ...signals, teacherLogits: logits };
      const top = tf.topk(logits, Math.min(candidates.teacherTop, logits.shape[1] - 1), false);
      const ids = tf.cast(top.indices, 'int32') as tf.Tensor2D;
      return { ...signals, teacherLogits: top.values, candidates: ids };
    });
}

function distillObjective(config: DistillConfig, model: Model) {
  const loss = LOSSES[config.hard.loss];
  return (params: Params, inputs: Inputs, pass: typeof INFERENCE): tf.Scalar => {
    const { states } = encodeAt(model, params, inputs, pass);
    const parts: tf.Scalar[] = [];
    if (config.hard.weight > 0) {
      const hard = loss.compute({ model, params, states, inputs, pass });
      parts.push(tf.mul(hard, config.hard.weight));
    }
    if (inputs.teacherLogits) {
      const student = model.logits(params, states, inputs.candidates ?? 'all', pass);
      const soft = softLabels(
        student,
        inputs.teacherLogits as tf.Tensor2D,
        inputs.weights!,
        config.soft.temperature,
      );
      parts.push(tf.mul(soft, config.soft.weight));
    }
    if (inputs.teacherLayer) {
      const projection = params.get(PROJECTION) as tf.Tensor2D;
      const aligned = featureAlignment(
        states,
        projection,
        inputs.teacherLayer as tf.Tensor2D,
        inputs.weights!,
      );
      parts.push(tf.mul(aligned, config.alignment.weight));
    }
    return timesBatchWeight(tf.addN(parts) as tf.Scalar, inputs);
  };
}
