import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { compileStep } from '../../src/compute/compile.js';
import { NotRecordable } from '../../src/compute/graph/recorder.js';
import { activeInstall } from '../../src/compute/native/cache.js';
import { OPTIMIZERS, type OptimizerName } from '../../src/compute/optimizers/index.js';
import { ParameterStore } from '../../src/compute/parameters.js';
import { selectBackend } from '../../src/compute/select.js';
import type { StepOptions } from '../../src/compute/step.js';
import { LOSSES, type LossName } from '../../src/model/losses/index.js';
import { createModel, type ModelConfig, modelSchema } from '../../src/model/registry.js';
import { Random } from '../../src/random.js';
import { labelObjective } from '../../src/training/objective.js';
import { labelSchema, targetsSchema } from '../../src/training/schema.js';
import { taskBatches } from '../../src/training/stage.js';
import type { TensorMap } from '../../src/types.js';
import { datasetOf, randomEvents, richCatalogue } from '../suites/fixtures.js';

const CATALOGUE = richCatalogue(12, 15);
const DATASET = datasetOf(CATALOGUE, randomEvents(CATALOGUE, 3));
const MODELS: Record<string, ModelConfig> = {
  transformer: modelSchema.parse({
    name: 'transformer',
    width: 8,
    depth: 2,
    heads: 2,
    length: 6,
    dropout: 0.2,
  }),
  mlp: modelSchema.parse({ name: 'mlp', width: 8, hidden: [8, 4], length: 6, dropout: 0.2 }),
  linear: modelSchema.parse({ name: 'linear', width: 8, length: 6 }),
};

interface Run {
  readonly model: string;
  readonly loss: LossName;
  readonly optimizer?: OptimizerName;
  readonly sparse?: boolean;
  readonly steps: number;
}

/** Trains over the dataset's batches; gives parameters and state after the first and the last step, and each loss and norm. */
async function train(run: Run, compile: boolean) {
  const loss = LOSSES[run.loss];
  const task = 'next-item' in loss.tasks ? 'next-item' : 'label';
  const model = createModel(MODELS[run.model]!, CATALOGUE);
  const store = new ParameterStore(model.init(new Random(7)), model.constants(), {
    sparseTables: run.sparse ?? false,
  });
  const step = compileStep({
    store,
    optimizer: OPTIMIZERS[run.optimizer ?? 'adam'](),
    loss: labelObjective(model, loss),
    l2: 1e-3,
    clipNorm: 0.5,
    seed: 5,
    compile,
  });
  const { batches } = taskBatches(model, DATASET, {
    task,
    loss: run.loss,
    negatives: 5,
    label: labelSchema.parse({}),
    targets: targetsSchema.parse({}),
    batchSize: 4,
    seed: 1,
  });
  const results: number[] = [];
  const after = async () => ({ parameters: await store.export(), state: await step.export() });
  let first: Awaited<ReturnType<typeof after>> | undefined;
  for (let n = 0; n < run.steps; n++) {
    const epoch = Math.floor(n / batches.batchesPerEpoch);
    const { loss: value, gradientNorm } = await step.run(
      [batches.batch(epoch, n % batches.batchesPerEpoch)],
      1e-2,
    );
    results.push(value, gradientNorm);
    first ??= await after();
  }
  const out = { first: first!, last: await after(), results };
  step.dispose();
  store.dispose();
  return out;
}

/**
 * ‖a − b‖ / ‖a‖ over all values of the maps. A softmax does not change when all logits move together, so the gradient of the
 * mlp's last bias is rounding noise there, which Adam scales up to whole steps: `except` leaves it out.
 */
function distance(a: TensorMap, b: TensorMap, except: string): number {
  let difference = 0;
  let size = 0;
  for (const [name, { data }] of a) {
    if (name.startsWith(except)) continue;
    const other = b.get(name)!.data;
    for (let i = 0; i < data.length; i++) {
      difference += (data[i]! - other[i]!) ** 2;
      size += data[i]! ** 2;
    }
  }
  return Math.sqrt(difference / size);
}

const skip = activeInstall() ? false : 'the native backend is not installed';

describe('a recorded step equals the eager one', { skip }, () => {
  before(() => selectBackend('tensorflow'));
  const runs: Run[] = [];
  for (const model of Object.keys(MODELS)) {
    for (const loss of Object.keys(LOSSES) as LossName[]) {
      runs.push({ model, loss, sparse: !LOSSES[loss].readsCatalogue, steps: 20 });
    }
  }
  for (const optimizer of Object.keys(OPTIMIZERS) as OptimizerName[]) {
    if (optimizer !== 'adam')
      runs.push({ model: 'transformer', loss: 'sampled-softmax', optimizer, sparse: true, steps: 20 });
    if (optimizer !== 'adam') runs.push({ model: 'linear', loss: 'softmax', optimizer, steps: 20 });
  }
  for (const run of runs) {
    const { model, loss, optimizer = 'adam', sparse } = run;
    test(`${model}, ${loss}, ${optimizer}, ${sparse ? 'tables by rows' : 'dense'}`, async () => {
      const [eager, graph] = [await train(run, false), await train(run, true)];
      const except = loss.includes('softmax') ? 'logit.bias' : '(none)';
      for (const [moment, bound] of [
        ['first', 1e-5],
        ['last', 1e-3],
      ] as const) {
        const gap = distance(eager[moment].parameters, graph[moment].parameters, except);
        assert.ok(gap < bound, `parameters after the ${moment} step differ by ${gap}`);
        const stateGap = distance(eager[moment].state, graph[moment].state, except);
        assert.ok(stateGap < bound, `optimizer state after the ${moment} step differs by ${stateGap}`);
      }
      eager.results.forEach((value, i) => {
        const gap = Math.abs(value - graph.results[i]!) / Math.abs(value);
        assert.ok(gap < (i < 2 ? 1e-5 : 1e-3), `result ${i}: ${value} and ${graph.results[i]}`);
      });
    });
  }
});

describe('recording', { skip }, () => {
  before(() => selectBackend('tensorflow'));
  const weight = { shape: [3], data: Float32Array.of(1, 2, 3), table: false };
  const batch = { x: { dtype: 'F32' as const, shape: [3], data: Float32Array.of(1, 1, 1) } };
  const stepOf = (loss: StepOptions['loss']) => {
    const store = new ParameterStore(new Map([['w', weight]]));
    return { store, step: compileStep({ store, optimizer: OPTIMIZERS.sgd(), loss, seed: 1 }) };
  };

  test('refuses a random tensor made in JavaScript, naming the op that takes it', async () => {
    const { step } = stepOf((params, inputs) =>
      tf.sum(tf.mul(tf.mul(params.get('w'), inputs.x!), tf.randomUniform([3]))),
    );
    await assert.rejects(step.run([batch], 0.1), (error: unknown) => {
      assert.ok(error instanceof NotRecordable);
      assert.match(error.message, /an input of Mul is made in JavaScript and differs from step to step/);
      return true;
    });
  });

  test('refuses a value read back', async () => {
    const { step } = stepOf((params, inputs) => {
      const size = tf.sum(inputs.x!).dataSync()[0]!;
      return tf.sum(tf.mul(params.get('w'), size));
    });
    await assert.rejects(step.run([batch], 0.1), (error: unknown) => {
      assert.ok(error instanceof NotRecordable);
      assert.match(error.message, /the value of Sum\S* was read back/);
      return true;
    });
  });

  test('leaves the backend usable after a refusal', async () => {
    const { step } = stepOf(() => {
      throw new Error('mistake in a loss');
    });
    await assert.rejects(step.run([batch], 0.1), /mistake in a loss/);
    assert.equal(
      tf.tidy(() => tf.sum(tf.tensor1d([1, 2])).dataSync()[0]),
      3,
    );
  });

  test('weights read from the store are those of the session, and loading the store reaches the session', async () => {
    const { step, store } = stepOf((params, inputs) => tf.sum(tf.mul(params.get('w'), inputs.x!)));
    await step.run([batch], 0.5);
    assert.deepEqual([...store.whole('w').dataSync()], [0.5, 1.5, 2.5]);
    store.load(new Map([['w', { dtype: 'F32', shape: [3], data: Float32Array.of(10, 20, 30) }]]));
    await step.run([batch], 0.5);
    assert.deepEqual([...(await store.export()).get('w')!.data], [9.5, 19.5, 29.5]);
    step.dispose();
    store.dispose();
  });

  test('a new batch shape is recorded when it comes, and the state carries over', async () => {
    const { step, store } = stepOf((params, inputs) =>
      tf.sum(tf.mul(tf.sum(params.get('w')), tf.sum(inputs.x!))),
    );
    await step.run([batch], 0.1);
    const longer = { x: { dtype: 'F32' as const, shape: [5], data: new Float32Array(5).fill(1) } };
    await step.run([longer], 0.1);
    const expected = [1, 2, 3].map((w) => w - 0.3 - 0.5);
    (await store.export()).get('w')!.data.forEach((w, i) => {
      assert.ok(Math.abs(w - expected[i]!) < 1e-6);
    });
  });

  test('two runs with one seed are equal bit for bit', async () => {
    const run = { model: 'transformer', loss: 'softmax', steps: 6 } as const;
    const [a, b] = [await train(run, true), await train(run, true)];
    assert.deepEqual(a, b);
  });
});
