import type { Dataset } from '../../data/dataset.js';
import { RecsysError } from '../../errors.js';
import type { RestoredModel } from '../../model/restore.js';
import type { StageContext } from '../../types.js';
import { teacherAnswers } from '../distill/answers.js';
import type { DistillConfig } from '../distill/schema.js';
import type { StageHooks, TaskConfig, TrainedModel } from '../stage.js';
import { trainRows } from '../train-rows.js';
import { type Fitting, fitRidge, type SparseLinearConfig } from './fit.js';
import { hardTargets, softTargets } from './targets.js';

/** Fits a sparse-linear model to the items that were chosen. Throws CONFIG_INVALID for the label task. */
export async function fitToLabels(
  config: Omit<Fitting, 'name' | 'dataset' | 'rows' | 'source'> & Pick<TaskConfig, 'task'>,
  dataset: Dataset,
  hooks: StageHooks,
  context: StageContext,
): Promise<TrainedModel> {
  if (config.task !== 'next-item')
    throw new RecsysError('CONFIG_INVALID', `task: a sparse-linear model is not fitted to "${config.task}"`, {
      remedy: 'Set `task: next-item`, or take another model.',
    });
  const rows = trainRows(dataset, config.targets);
  return fitRidge({ name: 'pretrain', ...config, dataset, rows, source: hardTargets(rows) }, hooks, context);
}

/**
 * Fits a sparse-linear student to its teacher's distributions (`soft.weight`) and to the chosen items (`hard.weight`); without the
 * former the teacher is not asked. Throws CONFIG_INVALID for what only a trained student can learn from.
 */
export async function fitToTeacher(
  config: DistillConfig & { readonly student: SparseLinearConfig },
  dataset: Dataset,
  teacher: RestoredModel,
  hooks: StageHooks & { readonly folder: string },
  context: StageContext,
): Promise<TrainedModel> {
  const { soft, hard, student } = config;
  for (const key of ['ranking', 'alignment'] as const)
    if (config[key].weight > 0)
      throw new RecsysError(
        'CONFIG_INVALID',
        `${key}.weight: a sparse-linear student is fitted to soft and hard labels alone`,
        {
          remedy: `Set \`${key}: { weight: 0 }\`, or take another student.`,
        },
      );
  if (config.start === 'teacher')
    throw new RecsysError(
      'CONFIG_INVALID',
      'start: a sparse-linear student has no item vectors to begin with',
    );
  const sample = { share: config.userShare, seed: config.seed };
  const timed = soft.weight > 0 && teacher.model.readsTimes;
  const rows = trainRows(dataset, config.targets, { timed, sample });
  const dir = config.answers.cache ?? hooks.folder;
  const source =
    soft.weight > 0
      ? softTargets(rows, await teacherAnswers(config, teacher, { dataset, rows, layer: -1, dir }, context), {
          soft: soft.weight,
          hard: hard.weight,
        })
      : hardTargets(rows);
  try {
    return await fitRidge(
      { name: 'distill', ...config, model: student, dataset, rows, source },
      hooks,
      context,
    );
  } finally {
    source.close();
  }
}
