import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { compileStep } from '../../src/compute/compile.js';
import { firstValues, type Optimizer } from '../../src/compute/optimizers/optimizer.js';
import { type ParameterInits, ParameterStore } from '../../src/compute/parameters.js';
import type { StepOptions } from '../../src/compute/step.js';
import { Random } from '../../src/random.js';
import type { TensorMap } from '../../src/types.js';
import { assertClose, assertSameTensors } from './assertions.js';

/** What an optimizer makes of the parameter 1 with the gradients ½, −1, 0 at rate 0.1, by hand. */
export interface OptimizerCase {
  readonly create: () => Optimizer;
  readonly expected: readonly [number, number, number];
}

const RATE = 0.1;
const GRADIENTS = [0.5, -1, 0];

/** The contract of every optimizer: its arithmetic, and that its two forms and its stored state agree. */
export function optimizerContract(name: string, { create, expected }: OptimizerCase): void {
  test(`${name}: the first steps equal those computed by hand, dense and by rows`, () => {
    const dense = denseSteps(
      create(),
      Float32Array.of(1),
      GRADIENTS.map((g) => Float32Array.of(g)),
    );
    const rows = rowSteps(
      create(),
      Float32Array.of(1),
      GRADIENTS.map((g) => Float32Array.of(g)),
    );
    assertClose(
      dense.map((p) => p[0]!),
      expected,
      'dense',
      2e-6,
      0,
    );
    assertClose(
      rows.map((p) => p[0]!),
      expected,
      'by rows',
      2e-6,
      0,
    );
  });

  test(`${name}: many steps on many values are the same dense and by rows`, () => {
    const rng = Random.of(4, name);
    const start = Float32Array.from({ length: 12 }, () => rng.normal());
    const gradients = Array.from({ length: 30 }, () =>
      Float32Array.from(start, () => rng.normal() * 10 ** (rng.int(7) - 4)),
    );
    const dense = denseSteps(create(), start, gradients);
    const rows = rowSteps(create(), start, gradients);
    for (const [n, values] of dense.entries()) assertClose(rows[n]!, values, `step ${n + 1}`, 1e-5, 1e-5);
  });

  test(`${name}: one row's update touches neither its neighbours nor their state`, () => {
    const optimizer = create();
    const parameter = Float32Array.of(1, 2, 3, 4, 5, 6);
    const first = optimizer.slots.map((s) => firstValues(s, parameter));
    const slots = first.map((s) => Float32Array.from(s));
    optimizer.row(parameter, 2, Float32Array.of(9, 9, 0.5, -0.5), 2, 2, slots, optimizer.rate(RATE, 1));
    assert.deepEqual([...parameter.subarray(0, 2), ...parameter.subarray(4)], [1, 2, 5, 6]);
    assert.ok(parameter[2]! < 3 && parameter[3]! > 4, 'both values move against their gradients');
    optimizer.slots.forEach((s, k) => {
      const at = (values: Float32Array) => [0, 1, 4, 5].map((i) => values[i]);
      assert.deepEqual(at(slots[k]!), at(first[k]!), s.name);
      assert.notEqual(slots[k]![2], first[k]![2]);
    });
  });

  test(`${name}: rows no batch touches keep their bits, and so does their state`, async () => {
    const store = tinyStore(true);
    const before = await store.export();
    const step = tinyStep(store, create());
    for (let n = 0; n < 3; n++) await step.run([tinyBatch([2, 4, 2])], RATE);
    const after = await store.export();
    const state = await step.export();
    const row = (tensors: TensorMap, key: string, r: number) =>
      tensors.get(key)!.data.slice(r * 2, r * 2 + 2);
    for (const r of [0, 1, 3]) assert.deepEqual(row(after, 'table', r), row(before, 'table', r));
    for (const r of [2, 4]) assert.notDeepEqual(row(after, 'table', r), row(before, 'table', r));
    for (const slot of create().slots) {
      for (const r of [0, 1, 3]) {
        const first = firstValues(slot, row(before, 'table', r) as Float32Array);
        assert.deepEqual(row(state, `table/${slot.name}`, r), first);
      }
    }
    step.dispose();
    store.dispose();
  });

  for (const sparseTables of [false, true]) {
    test(`${name}: stored and loaded state goes on bit for bit (${sparseTables ? 'rows' : 'dense'})`, async () => {
      await goesOn(create, sparseTables, {});
    });
    test(`${name}: so it does with averages and accumulation (${sparseTables ? 'rows' : 'dense'})`, async () => {
      await goesOn(create, sparseTables, { ema: 0.8, accumulate: 2 });
    });
  }
}

/** Stops after each step, saves, and goes on in a new store with a new step. */
async function goesOn(
  create: () => Optimizer,
  sparseTables: boolean,
  more: Partial<StepOptions>,
): Promise<void> {
  const batches = [
    [1, 2],
    [2, 2],
    [3, 1],
    [4, 2],
  ].map((ids) => Array.from({ length: more.accumulate ?? 1 }, (_, n) => tinyBatch(ids.slice(n))));
  const run = async (stopAt?: number) => {
    let store = tinyStore(sparseTables);
    let step = tinyStep(store, create(), more);
    for (const [n, micro] of batches.entries()) {
      if (n === stopAt) {
        const saved = { parameters: await store.export(), state: await step.export() };
        step.dispose();
        store.dispose();
        store = tinyStore(sparseTables);
        step = tinyStep(store, create(), more);
        store.load(saved.parameters);
        step.load(saved.state);
        assert.equal(step.count, n);
      }
      await step.run(micro, RATE);
    }
    const result = {
      parameters: await store.export(),
      state: await step.export(),
      averages: await step.averaged(() => store.export()),
    };
    step.dispose();
    store.dispose();
    return result;
  };
  const whole = await run();
  for (const stopAt of [1, 2, 3]) {
    const resumed = await run(stopAt);
    for (const what of ['parameters', 'state', 'averages'] as const)
      assertSameTensors(resumed[what], whole[what], `${what}, stopped at ${stopAt}`);
  }
}

function denseSteps(optimizer: Optimizer, start: Float32Array, gradients: Float32Array[]): Float32Array[] {
  let parameter = start;
  let slots = optimizer.slots.map((s) => firstValues(s, start));
  return gradients.map((gradient, n) => {
    tf.tidy(() => {
      const rate = tf.scalar(optimizer.rate(RATE, n + 1));
      const held = slots.map((s) => tf.tensor1d(s));
      const next = optimizer.dense(tf.tensor1d(parameter), tf.tensor1d(gradient), held, rate);
      parameter = Float32Array.from(next.parameter.dataSync());
      slots = next.slots.map((s) => Float32Array.from(s.dataSync()));
    });
    return parameter;
  });
}

function rowSteps(optimizer: Optimizer, start: Float32Array, gradients: Float32Array[]): Float32Array[] {
  const parameter = Float32Array.from(start);
  const slots = optimizer.slots.map((s) => firstValues(s, start));
  return gradients.map((gradient, n) => {
    optimizer.row(parameter, 0, gradient, 0, start.length, slots, optimizer.rate(RATE, n + 1));
    return Float32Array.from(parameter);
  });
}

/** A table [5, 2] (row 0 is padding) and a matrix [2, 2]. */
function tinyStore(sparseTables: boolean): ParameterStore {
  const inits: ParameterInits = new Map([
    [
      'table',
      { shape: [5, 2], data: Float32Array.of(0, 0, 1, 2, 3, 4, 5, 6, 7, 8), table: true, grows: 'items' },
    ],
    ['matrix', { shape: [2, 2], data: Float32Array.of(0.1, -0.2, 0.3, 0.4), table: false }],
  ]);
  return new ParameterStore(inits, new Map(), { sparseTables });
}

function tinyStep(store: ParameterStore, optimizer: Optimizer, more: Partial<StepOptions> = {}) {
  return compileStep({
    ...more,
    store,
    optimizer,
    seed: 1,
    loss: (params, inputs) =>
      tf.mean(
        tf.square(
          tf.matMul(params.lookup('table', inputs.ids!) as tf.Tensor2D, params.get('matrix') as tf.Tensor2D),
        ),
      ) as tf.Scalar,
  });
}

const tinyBatch = (ids: number[]) => ({
  ids: { dtype: 'I32' as const, shape: [ids.length], data: Int32Array.from(ids) },
});
