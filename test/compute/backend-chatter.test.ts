import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { BACKENDS } from '../../src/compute/backend.js';
import { activeInstall } from '../../src/compute/native/cache.js';

const SELECT = new URL('../../src/compute/select.ts', import.meta.url).href;

/** Choose a backend and train a step's worth of ops in a fresh process, where nothing else could hide the chatter. */
function outputOf(backend: string) {
  const script = `
    import * as tf from '@tensorflow/tfjs-core';
    import { selectBackend } from '${SELECT}';
    await selectBackend('${backend}');
    const f = (x) => tf.sum(tf.softmax(tf.matMul(x, x)));
    const g = tf.grad(f)(tf.ones([64, 64]));
    tf.oneHot(tf.tensor1d([0, 1], 'int32'), 3).dataSync();
    console.log((await g.data()).length);
  `;
  const args = ['--import', 'tsx', '--input-type=module', '-e', script];
  const { TF_CPP_MIN_LOG_LEVEL: _, ...env } = process.env;
  return spawnSync(process.execPath, args, { encoding: 'utf8', env });
}

for (const backend of BACKENDS) {
  const absent = backend === 'tensorflow' && activeInstall() === undefined;
  const skip = absent ? 'the native backend is not installed' : false;
  test(`${backend} says nothing on its own, not even on the first use`, { skip }, () => {
    const { status, stdout, stderr } = outputOf(backend);
    assert.equal(stderr, '');
    assert.equal(stdout, '4096\n');
    assert.equal(status, 0);
  });
}
