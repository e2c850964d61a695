import { restoreModel } from '../model/restore.js';
import { readCheckpoint } from '../storage/checkpoint.js';
import { distillSchema } from '../training/distill/schema.js';
import { distill } from '../training/distill.js';
import { defineStage } from './stage.js';
import { profileFlag, readStart, runTraining } from './training.js';

export default defineStage({
  name: 'distill',
  describe: 'dataset + teacher → student checkpoint',
  schema: distillSchema,
  flags: {
    profile: profileFlag,
    data: { key: 'data', describe: 'prepared dataset', type: 'string', stdin: true },
    from: { key: 'from', describe: 'student checkpoint to go on from', type: 'string' },
    teacher: { key: 'teacher', describe: 'teacher checkpoint', type: 'string', stdin: true },
  },
  defaultOut: 'student',
  resumes: true,
  async run(run) {
    const teacher = await readCheckpoint(run.config.teacher);
    const from = await readStart(run.config.from, 'distill --from');
    return runTraining(run, {
      stage: 'distill',
      continues: from,
      parents: [teacher, ...(from ? [from] : [])],
      train: (dataset, config, hooks) => {
        const models = { teacher: restoreModel(teacher), from: from && restoreModel(from) };
        return distill(config, dataset, models, hooks, run);
      },
    });
  },
});
