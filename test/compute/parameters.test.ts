import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { embeddingLookup, type ParameterInits, ParameterStore } from '../../src/compute/parameters.js';
import type { TensorMap } from '../../src/types.js';
import { assertClose, assertNoLeak, assertSameTensors, valuesOf } from '../suites/assertions.js';
import { onEachBackend } from '../suites/backends.js';

const INITS: ParameterInits = new Map([
  ['table', { shape: [3, 2], data: Float32Array.of(0, 1, 2, 3, 4, 5), table: true, grows: 'items' }],
  ['bias', { shape: [2], data: Float32Array.of(0.1, -0.2), table: false }],
]);
const CONSTANTS: TensorMap = new Map([
  ['mask', { dtype: 'F32', shape: [2], data: Float32Array.of(-1, 1) }],
  ['ids', { dtype: 'I32', shape: [2], data: Int32Array.of(1, 2) }],
]);

onEachBackend('embedding lookup', () => {
  test('gives rows for ids of any shape', () => {
    const rows = tf.tidy(() => {
      const out = embeddingLookup(
        tf.tensor2d([
          [0, 0],
          [1, 2],
          [3, 4],
        ]),
        tf.tensor2d(
          [
            [2, 1],
            [0, 2],
          ],
          [2, 2],
          'int32',
        ),
      );
      assert.deepEqual(out.shape, [2, 2, 2]);
      return Array.from(out.dataSync());
    });
    assert.deepEqual(rows, [3, 4, 1, 2, 0, 0, 3, 4]);
  });

  test('its gradient adds up where an id comes again, in one lookup and in two', () => {
    const gradient = valuesOf(() =>
      tf.grad((table) => {
        const one = embeddingLookup(table, tf.tensor1d([2, 1, 2], 'int32'));
        const two = embeddingLookup(table, tf.tensor1d([2], 'int32'));
        const weights = tf.tensor2d([
          [1, 10],
          [2, 20],
          [4, 40],
        ]);
        return tf.add(tf.sum(tf.mul(one, weights)), tf.mul(tf.sum(two), 100));
      })(
        tf.tensor2d([
          [0, 0],
          [1, 2],
          [3, 4],
          [5, 6],
        ]),
      ),
    );
    assertClose(gradient, [0, 0, 2, 20, 105, 150, 0, 0], 'gradient');
  });
});

onEachBackend('parameter store', () => {
  for (const sparseTables of [false, true]) {
    const form = sparseTables ? 'tables by rows' : 'dense';

    test(`reads, exports and loads what it was given (${form})`, () =>
      assertNoLeak('a store', async () => {
        const store = new ParameterStore(INITS, CONSTANTS, { sparseTables });
        assert.equal(store.tables.has('table'), sparseTables);
        tf.tidy(() => {
          const reader = store.reader();
          assert.deepEqual([...reader.get('table').dataSync()], [0, 1, 2, 3, 4, 5]);
          assert.deepEqual([...reader.get('mask').dataSync()], [-1, 1]);
          const rows = reader.lookup('table', tf.tensor2d([[2], [1]], [2, 1], 'int32'));
          assert.deepEqual(rows.shape, [2, 1, 2]);
          assert.deepEqual([...rows.dataSync()], [4, 5, 2, 3]);
          assert.throws(() => reader.get('other'), /other/);
        });
        const saved = await store.export();
        assert.deepEqual([...saved.keys()].sort(), ['bias', 'table'], 'constants are not saved');
        const changed: TensorMap = new Map(
          [...saved].map(([name, t]) => [name, { ...t, data: Float32Array.from(t.data, (v) => v * 2) }]),
        );
        store.load(changed);
        assertSameTensors(await store.export(), changed, 'loaded');
        assert.deepEqual([...INITS.get('table')!.data], [0, 1, 2, 3, 4, 5], 'the initial values are copied');
        store.dispose();
      }));

    test(`loading names the tensor that is missing or of another shape (${form})`, async () => {
      const store = new ParameterStore(INITS, new Map(), { sparseTables });
      const saved = await store.export();
      for (const name of ['table', 'bias']) {
        const missing = new Map([...saved].filter(([n]) => n !== name));
        assert.throws(() => store.load(missing), {
          code: 'CHECKPOINT_INCOMPATIBLE',
          message: new RegExp(`"${name}".*missing`),
        });
        const other = new Map([
          ...saved,
          [name, { dtype: 'F32' as const, shape: [7], data: new Float32Array(7) }],
        ]);
        assert.throws(() => store.load(other), {
          code: 'CHECKPOINT_INCOMPATIBLE',
          message: new RegExp(`"${name}": expected F32 \\[.*\\], found F32 \\[7\\]`),
        });
      }
      store.dispose();
    });
  }

  test('a loss may not read a table held by rows whole', () => {
    const store = new ParameterStore(INITS, new Map(), { sparseTables: true });
    const anchor = tf.variable(tf.scalar(0));
    assert.throws(() => store.recorder(anchor, []).get('table'), /table/);
    anchor.dispose();
    store.dispose();
  });
});
