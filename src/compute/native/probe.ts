/** Child process of `probeBackend`: `probe <backend | auto> [install folder]` prints one JSON line, or a reason on stderr with status 1. */
import { createRequire } from 'node:module';
import { BACKENDS } from '../backend.js';
import { selectBackend } from '../select.js';
import { readInstall } from './cache.js';
import { loadNative } from './load.js';

const tf = createRequire(import.meta.url)('@tensorflow/tfjs') as typeof import('@tensorflow/tfjs-core');
const SIZE = 512;

async function probe(name: string, folder: string | undefined): Promise<string> {
  const backend = BACKENDS.find((known) => known === name);
  if (!backend && name !== 'auto') throw new Error(`unknown backend ${name}`);
  const install = folder === undefined ? undefined : readInstall(folder);
  if (folder !== undefined && !install) throw new Error(`no install in ${folder}`);
  if (install) loadNative(install);
  const info = await selectBackend(backend);

  const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
  const gradient = tf.grad((t) => tf.sum(tf.matMul(t as typeof x, t as typeof x)))(x);
  const found = Array.from(await gradient.data());
  if (found.join() !== '7,11,9,13') throw new Error(`a gradient came out as ${found}, not 7,11,9,13`);

  const matrix = tf.fill([SIZE, SIZE], 0.5);
  let best = Number.POSITIVE_INFINITY;
  const begin = performance.now();
  for (let round = 0; round < 5 && performance.now() - begin < 500; round++) {
    const start = performance.now();
    const product = tf.matMul(matrix, matrix);
    const value = (await product.data())[0];
    best = Math.min(best, performance.now() - start);
    product.dispose();
    if (value !== SIZE / 4) throw new Error(`a matmul came out as ${value}, not ${SIZE / 4}`);
  }
  const gflops = (2 * SIZE ** 3) / best / 1e6;
  const { name: chosen, version, device, threads, reason } = info;
  return JSON.stringify({ backend: chosen, version, device, threads, milliseconds: best, gflops, reason });
}

try {
  process.stdout.write(`${await probe(process.argv[2] ?? '', process.argv[3])}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
