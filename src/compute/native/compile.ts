import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RecsysError } from '../../errors.js';
import { ADDON, KERNELS, QUIET } from './cache.js';
import { kernelTarget } from './target.js';
import { execute } from './tools.js';

const require = createRequire(import.meta.url);

/** The two libraries the addon links with, inside the wheel. */
export const LIBRARIES = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'];

/** What is needed of a TensorFlow wheel: the libraries, and the headers the C API reaches. */
export const WHEEL_MEMBERS = [
  ...LIBRARIES.map((name) => `tensorflow/${name}`),
  'tensorflow/include/tensorflow/c/',
  'tensorflow/include/tensorflow/core/',
  'tensorflow/include/tsl/',
  'tensorflow/include/xla/',
  'tensorflow/include/Eigen/',
  'tensorflow/include/unsupported/',
];

/**
 * Compile the addon's C++ source against the libraries unpacked in `folder`. The run path is relative to the addon, so the folder
 * can be moved; N-API 8 keeps the binary independent of the Node version. Gives whether our own operations have the processor's
 * instructions for bfloat16. Errors: ENVIRONMENT with the compiler's first error.
 */
export async function compileAddon(
  compiler: string,
  folder: string,
  signal: AbortSignal,
): Promise<{ bfloat16: boolean }> {
  const source = dirname(require.resolve('@tensorflow/tfjs-node-gpu/package.json'));
  const tensorflow = join(folder, 'tensorflow');
  const include = `-I${join(tensorflow, 'include')}`;
  const libraries = LIBRARIES.map((name) => join(tensorflow, name));
  const link = [...libraries, '-Wl,-rpath,$ORIGIN/tensorflow'];
  const headers = ['owned-tensor.h', 'traced-run.h'].flatMap((name) => ['-include', beside(name)]);
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(source, 'binding', name));
  const target = kernelTarget();
  const flags = target && (await accepted(compiler, target.flags, signal));
  const run: Run = (name, options) => compile(compiler, folder, name, signal, options);
  // All are waited for, so that none still writes into a folder that is being removed.
  const outcomes = await Promise.allSettled([
    run(ADDON, ['-shared', '-O2', include, `-I${source}`, ...headers, ...sources, ...link]),
    run(QUIET, ['-shared', '-O2', beside('quiet.cc')]),
    flags && compileKernels(run, flags, include, link),
  ]);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  return { bfloat16: target?.bfloat16 === true && flags === target.flags };
}

type Run = (output: string, options: readonly string[]) => Promise<void>;

const KERNEL_SOURCES = [
  // The longest first.
  ...['float32', 'attention', 'softmax-loss', 'linear', 'bfloat16', 'layer-norm'],
  ...['embedding-bag', 'own-logits', 'dropout', 'parallel', 'scratch', 'addon'],
];

/** One source after the other on each core. */
async function compileKernels(
  run: Run,
  target: readonly string[],
  include: string,
  link: readonly string[],
): Promise<void> {
  const left = [...KERNEL_SOURCES];
  const worker = async (): Promise<void> => {
    for (let name = left.shift(); name !== undefined; name = left.shift())
      await run(`${name}.o`, ['-c', '-O3', ...target, include, beside(`kernels/${name}.cc`)]);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  const objects = KERNEL_SOURCES.map((name) => `${name}.o`);
  await run(KERNELS, ['-shared', ...objects, ...link, '-pthread']);
}

/** The target's flags, or, for a compiler too old to know them, those of AVX2. */
async function accepted(
  compiler: string,
  flags: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { code } = await execute(compiler, [...flags, '-E', '-x', 'c++', '/dev/null'], { signal });
  return code === 0 ? flags : ['-mavx2', '-mfma'];
}

const beside = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

async function compile(
  compiler: string,
  folder: string,
  name: string,
  signal: AbortSignal,
  rest: readonly string[],
): Promise<void> {
  const headers = join(dirname(require.resolve('node-api-headers/package.json')), 'include');
  const common = ['-std=c++17', '-fPIC', '-DNAPI_VERSION=8', '-DNODE_GYP_MODULE_NAME=recsys', `-I${headers}`];
  const options = { signal, cwd: folder };
  const { code, stderr } = await execute(compiler, [...common, ...rest, '-o', join(folder, name)], options);
  if (code === 0) return;
  const reason = stderr.split('\n').find((line) => /error/i.test(line)) ?? stderr.trim().split('\n').at(-1);
  throw new RecsysError('ENVIRONMENT', `${compiler} could not compile the native addon: ${reason}`, {
    remedy: 'A compiler with C++17 is needed (g++ 9 or newer); CXX names another.',
  });
}
