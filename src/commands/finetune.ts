import { readDataset } from '../data/read.js';
import { restoreModel } from '../model/restore.js';
import { readCheckpoint, requireFloat32 } from '../storage/checkpoint.js';
import { finetune, finetuneSchema } from '../training/finetune.js';
import { defineStage } from './stage.js';
import { profileFlag, runTraining } from './training.js';

export default defineStage({
  name: 'finetune',
  describe: 'checkpoint + labelled target dataset → tuned checkpoint',
  schema: finetuneSchema,
  flags: {
    profile: profileFlag,
    data: { key: 'data', describe: 'prepared target dataset', type: 'string', stdin: true },
    from: { key: 'from', describe: 'checkpoint to continue', type: 'string', stdin: true },
  },
  defaultOut: 'tuned',
  resumes: true,
  async run(run) {
    const from = await readCheckpoint(run.config.from);
    requireFloat32(from, 'finetune --from');
    const known = run.config.replay ?? run.config.ewc;
    const before = known && (await readDataset(known.data));
    return runTraining(run, {
      stage: 'finetune',
      also: before,
      continues: from,
      parents: [from],
      train: (dataset, config, hooks) => finetune(config, dataset, restoreModel(from), hooks, run, before),
    });
  },
});
