import { compileStep } from '../compute/compile.js';
import { ParameterStore } from '../compute/parameters.js';
import type { Dataset } from '../data/dataset.js';
import { RecsysError } from '../errors.js';
import { glorot } from '../model/initial.js';
import type { Model } from '../model/model.js';
import { createModel } from '../model/registry.js';
import type { RestoredModel } from '../model/restore.js';
import { Random } from '../random.js';
import type { StageContext } from '../types.js';
import { teacherAnswers } from './distill/answers.js';
import { distillObjective, PROJECTION, readsWhole } from './distill/objective.js';
import type { DistillConfig } from './distill/schema.js';
import { startAtTeacher } from './distill/start.js';
import { growCatalogue, requireSameItems } from './growth.js';
import { fitToTeacher } from './ridge/stages.js';
import {
  keepsSparse,
  runFit,
  type StageHooks,
  type TrainedModel,
  taskBatches,
  updateOptions,
} from './stage.js';
import { trainRows } from './train-rows.js';

/**
 * Trains a student on what its teacher says of the train rows, and on the labels. The teacher is asked once, before the first
 * epoch; its answers lie in `answers.cache`, else in `folder` until the run is done.
 */
export async function distill(
  config: DistillConfig,
  source: Dataset,
  teacher: RestoredModel,
  hooks: StageHooks & { readonly folder: string },
  context: StageContext,
): Promise<TrainedModel> {
  requireSameItems(teacher.catalogue, source, 'the teacher');
  const { hard, soft, ranking, alignment } = config;
  if (hard.weight + soft.weight + ranking.weight + alignment.weight === 0) {
    throw new RecsysError(
      'CONFIG_INVALID',
      'soft.weight, hard.weight, ranking.weight and alignment.weight are all 0: nothing is learned',
    );
  }
  const { dataset } = growCatalogue(teacher.catalogue, source);
  if (config.student.name === 'sparse-linear')
    return fitToTeacher({ ...config, student: config.student }, dataset, teacher, hooks, context);
  const model = createModel(config.student, dataset.catalogue);
  const inits = model.init(Random.of(config.seed, 'init'));
  if (config.start === 'teacher') startAtTeacher(inits, teacher);
  const layer = alignment.weight > 0 ? layerIndex(teacher.model, alignment.layer) : -1;
  if (layer >= 0 && alignment.kind !== 'relational')
    inits.set(PROJECTION, glorot(Random.of(config.seed, 'projection'), model.width, teacher.model.width));
  const rows = trainRows(dataset, config.targets, {
    timed: model.readsTimes || teacher.model.readsTimes,
    sample: { share: config.userShare, seed: config.seed },
  });
  const dir = config.answers.cache ?? hooks.folder;
  const answers = await teacherAnswers(config, teacher, { dataset, rows, layer, dir }, context);
  const store = new ParameterStore(inits, model.constants(), {
    sparseTables: keepsSparse(inits, readsWhole(config)),
  });
  const step = compileStep({
    store,
    ...updateOptions(config),
    loss: distillObjective(config, model, answers.layout),
  });
  const task = {
    ...config,
    task: 'next-item' as const,
    loss: hard.loss,
    masking: 1,
    label: { negatives: 0, minimumValue: undefined },
  };
  try {
    const { time: _, ...untimed } = rows;
    const given = { rows: model.readsTimes ? rows : untimed, answers };
    const parts = taskBatches({ ...model, masksItems: false }, dataset, task, given);
    const fit = await runFit('distill', { model, store, step, dataset, ...parts }, task, hooks, context);
    const tensors = new Map([...fit.best].filter(([name]) => name !== PROJECTION));
    return { config: config.student, catalogue: dataset.catalogue, tensors, fit };
  } finally {
    step.dispose();
    store.dispose();
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
