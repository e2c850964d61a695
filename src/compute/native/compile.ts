import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RecsysError } from '../../errors.js';
import { ADDON, QUIET } from './cache.js';
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
];

/**
 * Compile the addon's C++ source against the libraries unpacked in `folder`. The run path is relative to the addon, so the folder
 * can be moved; N-API 8 keeps the binary independent of the Node version. Errors: ENVIRONMENT with the compiler's first error.
 */
export async function compileAddon(compiler: string, folder: string, signal: AbortSignal): Promise<void> {
  const source = dirname(require.resolve('@tensorflow/tfjs-node-gpu/package.json'));
  const tensorflow = join(folder, 'tensorflow');
  await compile(compiler, folder, ADDON, signal, [
    `-I${join(tensorflow, 'include')}`,
    `-I${source}`,
    '-include',
    fileURLToPath(new URL('./owned-tensor.h', import.meta.url)),
    join(source, 'binding', 'tfjs_backend.cc'),
    join(source, 'binding', 'tfjs_binding.cc'),
    ...LIBRARIES.map((name) => join(tensorflow, name)),
    '-Wl,-rpath,$ORIGIN/tensorflow',
  ]);
  await compile(compiler, folder, QUIET, signal, [fileURLToPath(new URL('./quiet.cc', import.meta.url))]);
}

async function compile(
  compiler: string,
  folder: string,
  name: string,
  signal: AbortSignal,
  rest: string[],
): Promise<void> {
  const headers = join(dirname(require.resolve('node-api-headers/package.json')), 'include');
  const common = [
    '-O2',
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
