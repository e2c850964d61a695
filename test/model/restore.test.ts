import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hostTensor } from '../../src/compute/parameters.js';
import { createModel, MODELS, modelSchema, parseModelConfig } from '../../src/model/registry.js';
import { restoreModel } from '../../src/model/restore.js';
import { Random } from '../../src/random.js';
import type { TensorMap } from '../../src/types.js';
import { richCatalogue } from '../suites/fixtures.js';

const CATALOGUE = richCatalogue(3, 4);

function stored(config: unknown, change: (tensors: TensorMap) => void = () => {}) {
  const parsed = modelSchema.parse(config);
  const inits = createModel(parsed, CATALOGUE).init(new Random(1));
  const tensors: TensorMap = new Map([...inits].map(([n, init]) => [n, hostTensor(init)]));
  change(tensors);
  return { path: 'here', manifest: { model: { config: parsed } }, tensors, catalogue: CATALOGUE };
}

const refused = (change: (tensors: TensorMap) => void, message: RegExp): void =>
  assert.throws(() => restoreModel(stored({ name: 'mlp', width: 4 }, change)), {
    code: 'CHECKPOINT_INCOMPATIBLE',
    message,
  });

describe('restoring a model', () => {
  for (const name of Object.keys(MODELS)) {
    test(`${name}: every tensor comes back`, () => {
      const from = stored(name === 'sparse-linear' ? { name, neighbours: 2 } : { name, width: 8 });
      const { inits, model } = restoreModel(from);
      assert.equal(model.name, name);
      assert.deepEqual([...inits.keys()].sort(), [...from.tensors.keys()].sort());
      for (const [key, { data }] of inits) assert.deepEqual([...data], [...from.tensors.get(key)!.data], key);
    });
  }

  test('a tensor missing, too many, of another shape or type is refused by name, with what was expected', () => {
    refused((t) => t.delete('logit.bias'), /here: tensor "logit\.bias" \(expected F32 \[1\]\) is missing/);
    refused((t) => t.set('more', t.get('logit.bias')!), /unexpected tensor "more"/);
    refused(
      (t) => t.set('logit.bias', { dtype: 'F32', shape: [2], data: new Float32Array(2) }),
      /"logit\.bias": expected F32 \[1\], found F32 \[2\]/,
    );
    refused(
      (t) => t.set('logit.bias', { dtype: 'I32', shape: [1], data: new Int32Array(1) }),
      /expected F32 \[1\], found I32 \[1\]/,
    );
  });

  test('a config this version does not know is refused, naming the place', () => {
    const bad = (config: unknown, message: RegExp): void =>
      assert.throws(() => parseModelConfig(config, 'here'), { code: 'CHECKPOINT_INCOMPATIBLE', message });
    bad({ name: 'oracle' }, /here: .*name/);
    bad({ name: 'mlp', width: -1 }, /width/);
    bad({ name: 'transformer', width: 8, heads: 3 }, /heads: must divide width/);
    bad(undefined, /here/);
  });
});
