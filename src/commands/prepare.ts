import { isAbsolute, resolve } from 'node:path';
import { prepare } from '../data/prepare.js';
import { prepareSchema } from '../data/schema.js';
import { withOutputDirectory } from '../storage/atomic.js';
import { defineStage } from './stage.js';

export default defineStage({
  name: 'prepare',
  describe: 'raw interactions and attributes → a dataset: cleaned, sorted, numbered and split',
  schema: prepareSchema,
  flags: {
    raw: { key: 'raw', describe: 'folder to which the data paths in the YAML refer', type: 'string' },
    input: {
      key: 'input',
      describe: 'interactions file instead of the YAML’s; - reads standard input',
      type: 'string',
    },
    extend: {
      key: 'extend',
      describe: 'dataset whose user, item and token numbers are kept',
      type: 'string',
      stdin: true,
    },
    name: { key: 'name', describe: 'name of the dataset', type: 'string' },
  },
  defaultOut: 'dataset',
  async run(run) {
    const started = performance.now();
    const { config, flags } = run;
    const { input } = config;
    const resolved =
      input === undefined || input === '-' || isAbsolute(input)
        ? config
        : { ...config, input: resolve(input) };
    const out = resolve(flags.out ?? 'dataset');
    const manifest = await withOutputDirectory(out, { force: flags.force, resume: false }, (partial) =>
      prepare(resolved, partial, run),
    );
    return { path: out, metrics: manifest.counts, seconds: (performance.now() - started) / 1000 };
  },
});
