import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { RecsysError } from '../errors.js';
import { diskError } from '../storage/disk.js';
import { acquireLock } from '../storage/lock.js';
import { defineStage, type StageDefinition } from './stage.js';
import { BEST, writeBest } from './tune/best.js';
import { conduct } from './tune/conduct.js';
import { planRungs, planTrials } from './tune/plan.js';
import { isSearch, resultsTable } from './tune/results.js';
import { tuneSchema } from './tune/schema.js';
import { searchSettings } from './tune/settings.js';

/** `recsys tune search.yaml`: trains a stage with many settings, each in a process of its own, and keeps the best. */
const tune: StageDefinition<typeof tuneSchema> = defineStage({
  name: 'tune',
  describe: 'search the settings of a training stage for the best',
  schema: tuneSchema,
  ownSets: true,
  resumes: true,
  flags: {},
  positionals: [{ name: 'search', key: '--config', describe: 'the search, a YAML file', required: true }],
  async run(run) {
    const started = performance.now();
    const { flags, invocation } = run;
    const search = await searchSettings(tune, invocation, flags.seed);
    const out = flags.out ?? search.config.out;
    if (out === undefined) throw new RecsysError('USAGE', 'the search says no `out`; give --out');
    const trials = planTrials(search);
    const rungs = planRungs(search, trials, run);
    const results = await inFolder(out, async () => {
      const found = await conduct({ search, trials, rungs, out }, run);
      await writeBest(out, found, trials);
      return found;
    });
    run.log('info', `results\n${resultsTable(results)}`);
    const best = results.trials.find(({ trial }) => trial === results.best)!;
    return {
      path: out,
      metrics: { [results.metric]: best.value! },
      seconds: (performance.now() - started) / 1000,
      best: { ...best, config: join(out, BEST), checkpoint: join(out, best.checkpoint!) },
      trials: results.trials,
    };
  },
});
export default tune;

/**
 * Works in the folder of a search, alone.
 * @throws OUTPUT_EXISTS where it holds something else · OUTPUT_BUSY while another search is at it · DISK
 */
async function inFolder<T>(out: string, work: () => Promise<T>): Promise<T> {
  try {
    await mkdir(out, { recursive: true });
    const lock = await acquireLock(`${out}.lock`, out);
    try {
      const others = (await readdir(out)).filter((name) => name !== 'trials');
      if (!(await isSearch(out, others))) {
        throw new RecsysError('OUTPUT_EXISTS', `${out} exists already, and is no folder of a search`, {
          remedy: 'Choose another --out.',
        });
      }
      await mkdir(join(out, 'trials'), { recursive: true });
      // It belongs to results that are about to change.
      await rm(join(out, BEST), { force: true });
      return await work();
    } finally {
      await lock.release();
    }
  } catch (error) {
    throw diskError(error, out);
  }
}
