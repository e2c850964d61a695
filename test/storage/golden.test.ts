import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readCheckpoint, readLast, verifyFiles } from '../../src/storage/checkpoint.js';
import { unpack } from '../../src/storage/quantization.js';
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

test('a quantized checkpoint of format 2 stays readable', async () => {
  const quantized = fileURLToPath(new URL('../fixtures/checkpoint-v2', import.meta.url));
  const checkpoint = await readCheckpoint(quantized);
  assert.equal(checkpoint.manifest.formatVersion, 2);
  assert.equal(checkpoint.manifest.model.quantization, 'int8');
  assert.equal(checkpoint.manifest.model.parameters, 16);
  assert.deepEqual(
    checkpoint.tensors.get('item.embedding')?.data,
    Int8Array.of(0, 0, 64, -127, 127, 0, 0, 127),
  );
  const { data } = unpack(checkpoint.tensors, quantized).get('item.embedding')!;
  const [one, two, three] = [1, 2, 3].map((largest) => Math.fround(largest / 127));
  assert.deepEqual(data, Float32Array.of(0, 0, 64 * one!, -127 * one!, 127 * two!, 0, 0, 127 * three!));
  assert.deepEqual(
    unpack(checkpoint.tensors, quantized).get('half')?.data,
    Float32Array.of(1, -0.5, 65504, 0.0999755859375),
  );
  assert.equal(await readLast(checkpoint), undefined);
  assert.deepEqual(await verifyFiles(quantized, checkpoint.manifest.files), []);
});
