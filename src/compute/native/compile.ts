import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { RecsysError } from '../../errors.js';
import { ADDON } from './cache.js';
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
  const headers = join(dirname(require.resolve('node-api-headers/package.json')), 'include');
  const tensorflow = join(folder, 'tensorflow');
  const args = ['-O2', '-std=c++17', '-fPIC', '-shared', '-DNAPI_VERSION=8'];
  args.push(`-I${headers}`, `-I${join(tensorflow, 'include')}`, `-I${source}`);
  args.push(join(source, 'binding', 'tfjs_backend.cc'), join(source, 'binding', 'tfjs_binding.cc'));
  args.push(...LIBRARIES.map((name) => join(tensorflow, name)));
  args.push('-Wl,-rpath,$ORIGIN/tensorflow', '-o', join(folder, ADDON));
  const { code, stderr } = await execute(compiler, args, { signal });
  if (code === 0) return;
  const reason = stderr.split('\n').find((line) => /error/i.test(line)) ?? stderr.trim().split('\n').at(-1);
  throw new RecsysError('ENVIRONMENT', `${compiler} could not compile the native addon: ${reason}`, {
    remedy: 'A compiler with C++17 is needed (g++ 9 or newer); CXX names another.',
  });
}
