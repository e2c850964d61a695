import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { ParameterStore } from '../../src/compute/parameters.js';
import { SquaredGradients } from '../../src/compute/squared-gradients.js';
import type { StepOptions } from '../../src/compute/step.js';
import { assertClose, assertNoLeak } from '../suites/assertions.js';
import { onEachBackend } from '../suites/backends.js';
import { BATCH, batchOf, dropped, inits, OTHER, WIDTH } from '../suites/step-model.js';

const f32 = (...data: number[]) => ({
  dtype: 'F32' as const,
  shape: [data.length],
  data: Float32Array.from(data),
});

onEachBackend('squared gradients', () => {
  test('are summed over batches, by hand', () => {
    const store = new ParameterStore(
      new Map([['w', { shape: [2], data: Float32Array.of(3, -1), table: false }]]),
    );
    const loss: StepOptions['loss'] = (params, { x }) =>
      tf.square(tf.sub(tf.sum(tf.mul(params.get('w'), x!)), 2)) as tf.Scalar;
    const squared = new SquaredGradients({ store, loss });
    // w·x − 2 is 3 and then −3: gradients 6 (2, 1) and −6 (0, 1).
    squared.add({ x: f32(2, 1) });
    squared.add({ x: f32(0, 1) });
    assertClose(squared.sums.get('w')!, [144, 72], 'w');
    squared.dispose();
    store.dispose();
  });

  test('are the same of tables held by rows, without dropout, and of what trains alone', async () => {
    const found = (sparseTables: boolean, frozen?: (name: string) => boolean) => {
      const store = new ParameterStore(inits(), new Map(), { sparseTables });
      const squared = new SquaredGradients({ store, loss: dropped, ...(frozen ? { frozen } : {}) });
      for (const batch of [BATCH, OTHER, batchOf([5, 5], [1, 4])]) squared.add(batch);
      squared.dispose();
      store.dispose();
      return squared.sums;
    };
    let [dense, rows] = [found(false), found(true)];
    for (const [name, sums] of dense) {
      assert.ok(sums.some((s) => s > 0));
      // Held by rows, padding has none.
      const from = name === 'table' ? WIDTH : 0;
      assertClose(rows.get(name)!.slice(from), sums.slice(from), name, 1e-4, 1e-4);
    }
    assert.deepEqual([...rows.get('table')!.slice(0, WIDTH)], [0, 0, 0]);
    rows = found(true, (name) => name !== 'matrix');
    assert.deepEqual([...rows.keys()], ['matrix']);
    assertClose(rows.get('matrix')!, dense.get('matrix')!, 'matrix alone', 1e-4, 1e-4);
    await assertNoLeak('squares', () => {
      dense = found(true);
    });
  });
});
