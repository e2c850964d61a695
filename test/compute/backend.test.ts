import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { BACKENDS, type BackendInfo, type BackendName } from '../../src/compute/backend.js';
import {
  ADDON,
  activeInstall,
  cacheFolder,
  INSTALL_FORMAT,
  installName,
  QUIET,
  tfjsVersion,
} from '../../src/compute/native/cache.js';
import { probeBackend } from '../../src/compute/native/check.js';
import { activeBackend, loadedBinding, selectBackend } from '../../src/compute/select.js';

const SELECT = new URL('../../src/compute/select.ts', import.meta.url).href;
const native = activeInstall() === undefined ? 'the native backend is not installed' : false;
const scratch = mkdtempSync(join(tmpdir(), 'recsys-backend-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

function restore(key: string, value: string | undefined): void {
  if (value === undefined) delete process.env[key];
  else process.env[key] = value;
}

/** A cache that holds an install whose addon is no library. */
function brokenCache(name: string): string {
  const cache = join(scratch, name);
  const folder = join(cache, installName('9.9.9', 'cpu'));
  mkdirSync(folder, { recursive: true });
  for (const name of [ADDON, QUIET]) writeFileSync(join(folder, name), 'not a library');
  writeFileSync(
    join(folder, 'install.json'),
    JSON.stringify({
      formatVersion: INSTALL_FORMAT,
      tensorflow: '9.9.9',
      device: 'cpu',
      tfjs: tfjsVersion(),
      platform: process.platform,
      arch: process.arch,
      compiler: 'none',
      node: '20.19.0',
      wheels: [],
      files: {},
      installedAt: '2024-01-01T00:00:00.000Z',
    }),
  );
  return cache;
}

/** A selection as a fresh process would make it: the module without its memory, in an environment of the test's own. */
let imports = 0;
async function freshSelect(
  cache: string,
  { asked, variable }: { asked?: BackendName; variable?: string } = {},
): Promise<BackendInfo> {
  const saved = { cache: process.env.RECSYS_CACHE, backend: process.env.RECSYS_BACKEND };
  process.env.RECSYS_CACHE = cache;
  restore('RECSYS_BACKEND', variable);
  try {
    const module: typeof import('../../src/compute/select.js') = await import(`${SELECT}?fresh=${imports++}`);
    return await module.selectBackend(asked);
  } finally {
    restore('RECSYS_CACHE', saved.cache);
    restore('RECSYS_BACKEND', saved.backend);
  }
}

describe('which backend is chosen', () => {
  const empty = join(scratch, 'empty');

  test('without a native install, wasm, and the reason says why', async () => {
    const info = await freshSelect(empty);
    assert.equal(info.name, 'wasm');
    assert.equal(info.reason, 'tensorflow: not installed (`recsys backend install`)');
  });

  test('an install that does not load is passed over, and the reason says why', async () => {
    const info = await freshSelect(brokenCache('broken'));
    assert.equal(info.name, 'wasm');
    assert.match(info.reason, /^tensorflow: .*tfjs_binding\.node/);
  });

  test('RECSYS_BACKEND is honoured', async () => {
    const info = await freshSelect(empty, { variable: 'cpu' });
    assert.deepEqual([info.name, info.reason], ['cpu', 'RECSYS_BACKEND asks for it']);
  });

  test('an explicit request wins over RECSYS_BACKEND', async () => {
    const info = await freshSelect(empty, { asked: 'cpu', variable: 'tensorflow' });
    assert.deepEqual([info.name, info.reason], ['cpu', 'asked for']);
  });

  test('a backend asked for and not there is an error with what to do, not replaced', async () => {
    const refused = {
      code: 'BACKEND_UNAVAILABLE',
      exitCode: 5,
      message: 'the tensorflow backend cannot be used: not installed (`recsys backend install`)',
      remedy: /recsys backend install/,
    };
    await assert.rejects(freshSelect(empty, { asked: 'tensorflow' }), refused);
    await assert.rejects(freshSelect(empty, { variable: 'tensorflow' }), refused);
    await assert.rejects(freshSelect(brokenCache('broken too'), { asked: 'tensorflow' }), {
      code: 'BACKEND_UNAVAILABLE',
      message: /tfjs_binding\.node/,
    });
  });

  test('an unknown RECSYS_BACKEND is refused with the known names', async () => {
    await assert.rejects(freshSelect(empty, { variable: 'torch' }), {
      code: 'USAGE',
      message: "RECSYS_BACKEND is 'torch'; it must be one of tensorflow, wasm, cpu",
    });
  });

  test('asking again for the one in use does nothing, for another switches', async () => {
    const first = await selectBackend('wasm');
    assert.equal(await selectBackend('wasm'), first);
    assert.equal(await selectBackend(), first);
    assert.equal(tf.getBackend(), 'wasm');
    const x = tf.tensor1d([1, 2, 3]);
    await selectBackend('cpu');
    assert.equal(tf.getBackend(), 'cpu');
    assert.equal(activeBackend()?.name, 'cpu');
    assert.deepEqual(Array.from(tf.mul(x, 2).dataSync()), [2, 4, 6]);
    assert.equal(loadedBinding(), undefined);
  });

  test('an installed native backend comes first', { skip: native }, async () => {
    const info = await freshSelect(cacheFolder());
    assert.deepEqual([info.name, info.reason], ['tensorflow', 'installed natively']);
    assert.match(info.version, /libtensorflow \d+\.\d+\.\d+/);
  });

  test('the check in a child process gives the same choice, or its reason in one line', async () => {
    const { RECSYS_BACKEND: _, ...rest } = process.env;
    const env = { ...rest, RECSYS_CACHE: empty };
    const result = await probeBackend('auto', { env });
    assert.ok(typeof result !== 'string', String(result));
    assert.equal(result.backend, 'wasm');
    const refused = await probeBackend('tensorflow', { env });
    assert.equal(refused, 'the tensorflow backend cannot be used: not installed (`recsys backend install`)');
  });
});

describe('every backend computes the same', () => {
  for (const name of BACKENDS) {
    test(name, { skip: name === 'tensorflow' ? native : false }, async () => {
      const info = await selectBackend(name);
      assert.equal(info.name, name);
      assert.ok(info.threads >= 1);
      // f(x, w) = Σ relu(x w)²; by hand: x w = [[1, -2], [3, 0]], so f = 10 and df/dw = xᵀ · 2 relu(x w).
      const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
      const w = tf.tensor2d([1, 4, 0, -3], [2, 2]);
      const f = (a: tf.Tensor, b: tf.Tensor) =>
        tf.sum(tf.square(tf.relu(tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D))));
      const { value, grads } = tf.valueAndGrads(f)([x, w]);
      assert.deepEqual(Array.from(await value.data()), [10]);
      assert.deepEqual(Array.from(await grads[1]!.data()), [20, 0, 28, 0]);
      if (name === 'tensorflow') assert.equal(typeof loadedBinding()?.isUsingGpuDevice(), 'boolean');
      tf.dispose([x, w, value, ...grads]);
    });
  }
});

test('TensorFlow owns the memory of its tensors: what JavaScript does with the buffer afterwards changes nothing', {
  skip: native,
}, async () => {
  await selectBackend('tensorflow');
  const buffer = new ArrayBuffer(4096 + 64);
  // One of these views is aligned as TensorFlow wants it: that is the one it would take without a copy.
  for (let offset = 0; offset < 64; offset += 4) {
    const data = new Float32Array(buffer, offset, 1024).fill(1);
    const x = tf.tensor1d(data);
    const kept = tf.neg(x);
    data.fill(2);
    assert.equal(tf.min(tf.neg(x)).dataSync()[0], -1, `offset ${offset}`);
    tf.dispose([x, kept]);
  }
});
