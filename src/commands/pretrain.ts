import { restoreModel } from '../model/restore.js';
import { PRESET_NAMES } from '../training/presets.js';
import { pretrain, pretrainSchema } from '../training/pretrain.js';
import { defineStage } from './stage.js';
import { profileFlag, readStart, runTraining } from './training.js';

export default defineStage({
  name: 'pretrain',
  describe: 'dataset → teacher checkpoint (or continue one with --from)',
  schema: pretrainSchema,
  flags: {
    profile: profileFlag,
    data: { key: 'data', describe: 'prepared dataset', type: 'string', stdin: true },
    preset: {
      key: 'preset',
      describe: `defaults of a known model: ${PRESET_NAMES.join(', ')}`,
      type: 'string',
    },
    from: { key: 'from', describe: 'checkpoint to continue', type: 'string', stdin: true },
  },
  defaultOut: 'teacher',
  resumes: true,
  async run(run) {
    const from = await readStart(run.config.from, 'pretrain --from');
    return runTraining(run, {
      stage: 'pretrain',
      continues: from,
      parents: from ? [from] : [],
      train: (dataset, config, hooks) => pretrain(config, dataset, from && restoreModel(from), hooks, run),
    });
  },
});
