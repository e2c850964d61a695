import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RecsysError } from '../../errors.js';
import { ADDON, KERNELS, QUIET } from './cache.js';
import { runsKernels } from './machine.js';
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
 * can be moved; N-API 8 keeps the binary independent of the Node version. Errors: ENVIRONMENT with the compiler's first error.
 */
export async function compileAddon(compiler: string, folder: string, signal: AbortSignal): Promise<void> {
  const source = dirname(require.resolve('@tensorflow/tfjs-node-gpu/package.json'));
  const tensorflow = join(folder, 'tensorflow');
  const include = `-I${join(tensorflow, 'include')}`;
  const libraries = LIBRARIES.map((name) => join(tensorflow, name));
  const link = [...libraries, '-Wl,-rpath,$ORIGIN/tensorflow'];
  const headers = ['owned-tensor.h', 'traced-run.h'].flatMap((name) => ['-include', beside(name)]);
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(source, 'binding', name));
  const work = [
    compile(compiler, folder, ADDON, signal, [
      '-O2',
      include,
      `-I${source}`,
      ...headers,
      ...sources,
      ...link,
    ]),
    compile(compiler, folder, QUIET, signal, ['-O2', beside('quiet.cc')]),
  ];
  if (runsKernels()) {
    const target = process.arch === 'x64' ? ['-march=x86-64-v3'] : [];
    const parts = KERNEL_SOURCES.map((name) => beside(`kernels/${name}.cc`));
    work.push(
      compile(compiler, folder, KERNELS, signal, ['-O3', ...target, include, ...parts, ...link, '-pthread']),
    );
  }
  await Promise.all(work);
}

const KERNEL_SOURCES = ['addon', 'parallel', 'dropout', 'layer-norm', 'attention', 'softmax-loss', 'linear'];

const beside = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

async function compile(
  compiler: string,
  folder: string,
  name: string,
  signal: AbortSignal,
  rest: string[],
): Promise<void> {
  const headers = join(dirname(require.resolve('node-api-headers/package.json')), 'include');
  const common = [
    '-std=c++17',
    '-fPIC',
    '-shared',
    '-DNAPI_VERSION=8',
    '-DNODE_GYP_MODULE_NAME=recsys',
    `-I${headers}`,
  ];
  const { code, stderr } = await execute(compiler, [...common, ...rest, '-o', join(folder, name)], {
    signal,
  });
  if (code === 0) return;
  const reason = stderr.split('\n').find((line) => /error/i.test(line)) ?? stderr.trim().split('\n').at(-1);
  throw new RecsysError('ENVIRONMENT', `${compiler} could not compile the native addon: ${reason}`, {
    remedy: 'A compiler with C++17 is needed (g++ 9 or newer); CXX names another.',
  });
}
