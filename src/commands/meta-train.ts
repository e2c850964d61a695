import { restoreModel } from '../model/restore.js';
import { META_PRESET_NAMES } from '../training/meta/presets.js';
import { metaTrainSchema } from '../training/meta/schema.js';
import { metaTrain } from '../training/meta-train.js';
import { defineStage } from './stage.js';
import { profileFlag, readStart, runTraining } from './training.js';

export default defineStage({
  name: 'meta-train',
  describe: 'dataset (+ checkpoint) → checkpoint that adapts to a new user within a few events',
  schema: metaTrainSchema,
  flags: {
    profile: profileFlag,
    data: { key: 'data', describe: 'prepared dataset', type: 'string', stdin: true },
    preset: {
      key: 'preset',
      describe: `defaults of a known algorithm: ${META_PRESET_NAMES.join(', ')}`,
      type: 'string',
    },
    from: { key: 'from', describe: 'checkpoint to start from', type: 'string', stdin: true },
  },
  defaultOut: 'adaptive',
  resumes: true,
  async run(run) {
    const from = await readStart(run.config.from, 'meta-train --from');
    return runTraining(run, {
      stage: 'meta-train',
      continues: from,
      parents: from ? [from] : [],
      train: (dataset, config, hooks) => metaTrain(config, dataset, from && restoreModel(from), hooks, run),
    });
  },
});
