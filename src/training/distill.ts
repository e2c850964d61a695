import { compileStep } from '../compute/compile.js';
import { type ParameterInits, ParameterStore } from '../compute/parameters.js';
import type { Dataset } from '../data/dataset.js';
import { RecsysError } from '../errors.js';
import { growTensors } from '../model/grow.js';
import { glorot } from '../model/initial.js';
import type { Model } from '../model/model.js';
import { createModel } from '../model/registry.js';
import type { RestoredModel } from '../model/restore.js';
import { Random } from '../random.js';
import type { Catalogue, StageContext } from '../types.js';
import { teacherAnswers } from './distill/answers.js';
import { distillObjective, PROJECTION, readsWhole } from './distill/objective.js';
import type { DistillConfig } from './distill/schema.js';
import { startAtTeacher } from './distill/start.js';
import { growCatalogue, requireSameItems } from './growth.js';
import { masked, masksOf } from './masks.js';
import { fitToTeacher } from './ridge/stages.js';
import {
  keepsSparse,
  runFit,
  type StageHooks,
  type TrainedModel,
  taskBatches,
  updateOptions,
} from './stage.js';
import { tensorsOf } from './supervised.js';
import { rowsFor, trainRows } from './train-rows.js';

/**
 * Trains a student on what its teacher says of the train rows, and on the labels. The teacher is asked once, before the first
 * epoch; its answers lie in `answers.cache`, else in `folder` until the run is done.
 */
export async function distill(
  config: DistillConfig,
  source: Dataset,
  { teacher, from }: { readonly teacher: RestoredModel; readonly from?: RestoredModel | undefined },
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
  if (!from && config.student.name === 'sparse-linear')
    return fitToTeacher({ ...config, student: config.student }, dataset, teacher, hooks, context);
  const modelConfig = from?.config ?? config.student;
  const model = createModel(modelConfig, dataset.catalogue);
  const fresh = model.init(Random.of(config.seed, 'init'));
  const inits = from ? continued(fresh, from, dataset.catalogue) : fresh;
  const keepZeros = config.keepZeros ? withZeros(inits) : new Set<string>();
  if (config.start === 'teacher') startAtTeacher(inits, teacher);
  const layer = alignment.weight > 0 ? layerIndex(teacher.model, alignment.layer) : -1;
  if (layer >= 0 && alignment.kind !== 'relational')
    inits.set(PROJECTION, glorot(Random.of(config.seed, 'projection'), model.width, teacher.model.width));
  const rows = trainRows(dataset, config.targets, {
    timed: model.readsTimes || teacher.model.readsTimes,
    asked: model.readsAsked,
    sample: { share: config.userShare, seed: config.seed },
  });
  const dir = config.answers.cache ?? hooks.folder;
  const answers = await teacherAnswers(config, teacher, { dataset, rows, layer, dir }, context);
  const constants = new Map([...model.constants(), ...masksOf(inits, keepZeros)]);
  const objective = distillObjective(config, model, answers.layout);
  const store = new ParameterStore(inits, constants, {
    sparseTables: keepsSparse(inits, model, readsWhole(config)),
  });
  const step = compileStep({
    store,
    ...updateOptions(config),
    loss: (params, inputs, pass) => objective(masked(params, keepZeros), inputs, pass),
  });
  const task = {
    ...config,
    task: 'next-item' as const,
    loss: hard.loss,
    masking: 1,
    label: { negatives: 0, minimumValue: undefined },
  };
  try {
    const given = { rows: rowsFor(rows, model), answers };
    const parts = taskBatches({ ...model, masksItems: false }, dataset, task, given);
    const fit = await runFit('distill', { model, store, step, dataset, ...parts }, task, hooks, context);
    const tensors = new Map([...fit.best].filter(([name]) => name !== PROJECTION));
    return { config: modelConfig, catalogue: dataset.catalogue, tensors, fit };
  } finally {
    step.dispose();
    store.dispose();
  }
}

/** The student's own weights in a skeleton of its grown vocabulary; CHECKPOINT_INCOMPATIBLE where that does not begin as its own. */
function continued(fresh: ParameterInits, from: RestoredModel, catalogue: Catalogue): ParameterInits {
  const lists = (of: Catalogue) => ({
    items: of.items,
    users: of.users,
    behaviours: of.behaviours,
    'item attributes': of.itemFeatures.tokenNames,
    'user attributes': of.userFeatures.tokenNames,
  });
  const now = lists(catalogue);
  for (const [what, own] of Object.entries(lists(from.catalogue))) {
    const at = own.findIndex((id, i) => id !== now[what as keyof typeof now][i]);
    if (at < 0) continue;
    throw new RecsysError(
      'CHECKPOINT_INCOMPATIBLE',
      `distill --from: the ${what} of this student are not numbered as its teacher's, first "${own[at]}"`,
      { remedy: 'Give a student that was distilled from this teacher, or from one of the same dataset.' },
    );
  }
  return growTensors(fresh, tensorsOf(from.inits), 'distill --from');
}

/** The names of matrices with zeros in them. */
const withZeros = (inits: ParameterInits): Set<string> =>
  new Set(
    [...inits]
      .filter(([, { shape, data, fixed }]) => !fixed && shape.length > 1 && data.includes(0))
      .map(([name]) => name),
  );

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
