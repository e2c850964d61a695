import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readCheckpoint, readLast, verifyFiles } from '../../src/storage/checkpoint.js';
import { tinyCatalogue, tinyTensors } from './fixtures.js';

// Written by the first version of the format and never again: every later version must read it.
const golden = fileURLToPath(new URL('../fixtures/checkpoint-v1', import.meta.url));

test('a checkpoint of format 1 stays readable', async () => {
  const checkpoint = await readCheckpoint(golden);
  assert.equal(checkpoint.manifest.formatVersion, 1);
  assert.deepEqual(checkpoint.config, { model: 'mlp', epochs: 2, note: 'yes' });
  assert.deepEqual(checkpoint.catalogue, tinyCatalogue);
  assert.deepEqual([...checkpoint.tensors].sort(), [...tinyTensors].sort());
  assert.deepEqual(checkpoint.trainedEvents, BigUint64Array.of(1n, 2n ** 63n));
  assert.deepEqual(checkpoint.manifest.lineage[0]?.model, 'transformer');
  const last = await readLast(checkpoint);
  assert.deepEqual(last?.progress, { epoch: 2, best: -Infinity });
  assert.deepEqual(last?.tensors.get('bias')?.data, Float32Array.of(8));
  assert.deepEqual(last?.optimizer.get('bias/m')?.data, Float32Array.of(0.5));
  assert.deepEqual(await verifyFiles(golden, checkpoint.manifest.files), []);
});
