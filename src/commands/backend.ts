import { basename } from 'node:path';
import { z } from 'zod';
import { activeInstall, cacheFolder, DEFAULT_TENSORFLOW, listInstalls } from '../compute/native/cache.js';
import { installNative } from '../compute/native/install.js';
import { RecsysError } from '../errors.js';
import { defineStage, type StageResult, type StageRun } from './stage.js';
import { textTable } from './table.js';

const schema = z.strictObject({
  action: z
    .enum(['install', 'list'])
    .default('list')
    .describe('install builds the native backend; list shows what is there'),
  gpu: z
    .boolean()
    .default(false)
    .describe('take the CUDA build of libtensorflow (Linux x64 with an NVIDIA driver)'),
  tensorflow: z
    .string()
    .regex(/^\d+\.\d+\.\d+$/, 'a version such as 2.18.1')
    .default(DEFAULT_TENSORFLOW)
    .describe('version of libtensorflow, as released on the Python package index'),
});
type Config = z.output<typeof schema>;

export default defineStage({
  name: 'backend',
  describe: 'install or list the native tensor backend',
  schema,
  flags: {
    gpu: { key: 'gpu', describe: 'with CUDA, for an NVIDIA GPU', type: 'boolean' },
    tensorflow: { key: 'tensorflow', describe: 'version of libtensorflow', type: 'string' },
  },
  positionals: [{ name: 'action', describe: 'what to do', key: 'action', choices: ['install', 'list'] }],
  run: (run) => (run.config.action === 'install' ? install(run) : Promise.resolve(list())),
});

async function install(run: StageRun<Config>): Promise<StageResult> {
  const { gpu, tensorflow } = run.config;
  if (gpu && process.arch !== 'x64')
    throw new RecsysError('USAGE', `--gpu needs Linux x64, not ${process.arch}`);
  const start = performance.now();
  const { folder, record, present } = await installNative({ gpu, tensorflow }, run);
  const state = present ? 'was installed already' : 'is installed and checked';
  run.log('info', `libtensorflow ${record.tensorflow} (${record.device}) ${state}; it is the active one`);
  return { path: folder, present, install: record, seconds: (performance.now() - start) / 1000 };
}

function list(): StageResult {
  const cache = cacheFolder();
  const active = activeInstall(cache);
  const native = listInstalls(cache).map(({ folder, record }) => ({
    folder,
    tensorflow: record.tensorflow,
    device: record.device,
    active: folder === active?.folder,
    installedAt: record.installedAt,
  }));
  const rows = native.map((one) => [
    one.active ? 'tensorflow (active)' : 'tensorflow',
    `libtensorflow ${one.tensorflow}, ${one.device}`,
    basename(one.folder),
  ]);
  if (rows.length === 0) rows.push(['tensorflow', 'not installed: `recsys backend install`', '']);
  rows.push(['wasm', 'comes with the package', ''], ['cpu', 'comes with the package', '']);
  const text = `${textTable(['backend', 'what', 'folder'], rows)}\n\ncache: ${cache}`;
  return { cache, native, embedded: ['wasm', 'cpu'], text, seconds: 0 };
}
