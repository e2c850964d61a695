import { restoreModel } from '../model/restore.js';
import { readCheckpoint } from '../storage/checkpoint.js';
import { distillSchema } from '../training/distill/schema.js';
import { distill } from '../training/distill.js';
import { defineStage } from './stage.js';
import { profileFlag, runTraining } from './training.js';

export default defineStage({
  name: 'distill',
  describe: 'dataset + teacher → student checkpoint',
  schema: distillSchema,
  flags: {
    profile: profileFlag,
    data: { key: 'data', describe: 'prepared dataset', type: 'string', stdin: true },
    teacher: { key: 'teacher', describe: 'teacher checkpoint', type: 'string', stdin: true },
  },
  defaultOut: 'student',
  resumes: true,
  async run(run) {
    const teacher = await readCheckpoint(run.config.teacher);
    return runTraining(run, {
      stage: 'distill',
      parents: [teacher],
      train: (dataset, config, hooks) => distill(config, dataset, restoreModel(teacher), hooks, run),
    });
  },
});
