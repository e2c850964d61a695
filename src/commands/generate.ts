import { performance } from 'node:perf_hooks';
import { generate } from '../data/generate/generate.js';
import { generateSchema } from '../data/generate/schema.js';
import { withOutputDirectory } from '../storage/atomic.js';
import { defineStage } from './stage.js';

export default defineStage({
  name: 'generate',
  describe:
    'write the raw log of an invented shop: structured data to try everything on, with the best ranking known',
  schema: generateSchema,
  flags: {
    users: { key: 'users', describe: 'number of users', type: 'number' },
  },
  defaultOut: 'raw',
  async run(run) {
    const started = performance.now();
    const { config, flags } = run;
    const out = flags.out!;
    const { counts } = await withOutputDirectory(out, { force: flags.force, resume: false }, (partial) =>
      generate(config, partial, run),
    );
    return { path: out, metrics: counts, seconds: (performance.now() - started) / 1000 };
  },
});
