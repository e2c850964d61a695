import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { compileStep } from '../../src/compute/compile.js';
import { NotRecordable } from '../../src/compute/graph/recorder.js';
import { activeInstall } from '../../src/compute/native/cache.js';
import {
  createOptimizer,
  OPTIMIZER_NAMES,
  OPTIMIZERS,
  type OptimizerName,
} from '../../src/compute/optimizers/index.js';
import type { Optimizer, OptimizerSettings } from '../../src/compute/optimizers/optimizer.js';
import { ParameterStore } from '../../src/compute/parameters.js';
import { selectBackend } from '../../src/compute/select.js';
import type { Batch, StepOptions } from '../../src/compute/step.js';
import { LOSSES, type LossName } from '../../src/model/losses/index.js';
import { createModel, type ModelConfig, modelSchema } from '../../src/model/registry.js';
import { Random } from '../../src/random.js';
import type { ContrastiveConfig } from '../../src/training/contrastive.js';
import { labelObjective } from '../../src/training/objective.js';
import { labelSchema, targetsSchema } from '../../src/training/schema.js';
import { taskBatches } from '../../src/training/stage.js';
import type { TensorMap } from '../../src/types.js';
import { assertClose } from '../suites/assertions.js';
import { datasetOf, randomEvents, richCatalogue } from '../suites/fixtures.js';

const CATALOGUE = richCatalogue(12, 15);
const DATASET = datasetOf(CATALOGUE, randomEvents(CATALOGUE, 3), 'epoch');
const MODELS: Record<string, ModelConfig> = {
  transformer: modelSchema.parse({
    name: 'transformer',
    width: 8,
    depth: 2,
    heads: 2,
    length: 6,
    dropout: 0.2,
  }),
  timed: modelSchema.parse({
    ...{ name: 'transformer', width: 8, depth: 1, heads: 2, length: 6, dropout: 0.2 },
    relativeTime: true,
    relativePosition: true,
  }),
  'timed and gated': modelSchema.parse({
    ...{ name: 'transformer', width: 8, depth: 1, heads: 2, length: 6, dropout: 0.2 },
    attention: 'gated',
    relativeTime: true,
  }),
  'with heads': modelSchema.parse({
    ...{ name: 'transformer', width: 8, depth: 1, heads: 2, length: 6, dropout: 0.2 },
    behaviourHeads: true,
  }),
  'with experts': modelSchema.parse({
    ...{ name: 'transformer', width: 8, depth: 1, heads: 2, length: 6, dropout: 0.2 },
    behaviourHeads: { experts: 2, expertWidth: 3 },
  }),
  gru: modelSchema.parse({ name: 'gru', width: 8, hidden: 6, depth: 2, length: 6, dropout: 0.2 }),
  'two-tower': modelSchema.parse({ name: 'two-tower', width: 8, hidden: [10], length: 6, dropout: 0.2 }),
  mlp: modelSchema.parse({ name: 'mlp', width: 8, hidden: [8, 4], length: 6, dropout: 0.2 }),
  linear: modelSchema.parse({ name: 'linear', width: 8, length: 6 }),
};

interface Run {
  readonly model: string;
  readonly loss: LossName;
  readonly optimizer?: OptimizerName;
  readonly settings?: OptimizerSettings;
  readonly sparse?: boolean;
  readonly accumulate?: number;
  readonly ema?: number;
  readonly contrastive?: ContrastiveConfig;
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
    optimizer: createOptimizer({ name: run.optimizer ?? 'adam', ...run.settings }),
    loss: labelObjective(model, loss, run.contrastive),
    ...(run.accumulate ? { accumulate: run.accumulate } : {}),
    ...(run.ema ? { ema: run.ema } : {}),
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
    masking: 0.5,
    batchSize: 4,
    seed: 1,
  });
  const results: number[] = [];
  const after = async () => ({
    parameters: await store.export(),
    state: await step.export(),
    averages: await step.averaged(() => store.export()),
  });
  let first: Awaited<ReturnType<typeof after>> | undefined;
  let next = 0;
  const batch = (): Batch => {
    const n = next++;
    return batches.batch(Math.floor(n / batches.batchesPerEpoch), n % batches.batchesPerEpoch);
  };
  for (let n = 0; n < run.steps; n++) {
    // Not every step is given as many batches as it may be.
    const micro = Array.from({ length: n % 3 === 2 ? 1 : (run.accumulate ?? 1) }, batch);
    const { loss: value, gradientNorm } = await step.run(micro, 1e-2);
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
  for (const model of ['transformer', 'gru', 'two-tower', 'mlp', 'linear']) {
    for (const loss of Object.keys(LOSSES) as LossName[]) {
      runs.push({ model, loss, sparse: !LOSSES[loss].readsCatalogue, steps: 20 });
    }
  }
  const sparse = { model: 'transformer', loss: 'sampled-softmax', sparse: true, steps: 20 } as const;
  const dense = { model: 'linear', loss: 'softmax', steps: 20 } as const;
  for (const optimizer of OPTIMIZER_NAMES) {
    const settings = { weightDecay: 0.5, momentum: 0.7, l1: 1e-2, l2: 0.1 };
    if (optimizer !== 'adam')
      runs.push({ ...sparse, optimizer, settings }, { ...dense, optimizer, settings });
    // Averages as well: they come last in the same programs.
    runs.push(
      { ...sparse, optimizer, accumulate: 3, ema: 0.9 },
      { ...dense, optimizer, accumulate: 2, ema: 0.9 },
    );
  }
  for (const model of ['timed', 'timed and gated', 'with heads', 'with experts'])
    runs.push({ ...sparse, model }, { ...dense, model, accumulate: 2 });
  runs.push({ ...sparse, ema: 0.9 }, { ...dense, model: 'mlp', loss: 'bce', ema: 0.9, accumulate: 2 });
  const contrastive = { weight: 0.5, temperature: 0.2 };
  runs.push({ ...sparse, contrastive }, { ...dense, model: 'transformer', contrastive, accumulate: 2 });
  for (const run of runs) {
    const { model, loss, optimizer = 'adam', sparse, accumulate = 1, ema = 0 } = run;
    const more = `${accumulate > 1 ? `, ${accumulate} batches a step` : ''}${ema > 0 ? ', averages' : ''}${run.contrastive ? ', contrastive' : ''}`;
    test(`${model}, ${loss}, ${optimizer}, ${sparse ? 'tables by rows' : 'dense'}${more}`, async () => {
      const [eager, graph] = [await train(run, false), await train(run, true)];
      const except = loss.includes('softmax') ? 'logit.bias' : '(none)';
      for (const [moment, bound] of [
        ['first', 1e-5],
        ['last', 1e-3],
      ] as const) {
        for (const what of ['parameters', 'state', 'averages'] as const) {
          const gap = distance(eager[moment][what], graph[moment][what], except);
          assert.ok(gap < bound, `${what} after the ${moment} step differ by ${gap}`);
        }
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

  test('refuses an input that has the name of one of its own', async () => {
    const { step } = stepOf((params, inputs) => tf.sum(tf.mul(params.get('w'), inputs.x!)));
    await assert.rejects(step.run([{ ...batch, share: batch.x! }], 0.1), /an input named "share"/);
  });

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

  test('every use of a weight in a step is of its value before the step', async () => {
    // Each of w and v has the other in its gradient, and w's own use in the penalty; nothing else orders their updates.
    const n = 64;
    const ramp = Float32Array.from({ length: n * n }, (_, i) => Math.sin(i));
    const inits = new Map(['w', 'v'].map((name) => [name, { shape: [n, n], data: ramp, table: false }]));
    for (const optimizer of OPTIMIZER_NAMES) {
      const run = async (compile: boolean) => {
        const store = new ParameterStore(inits);
        const step = compileStep({
          store,
          optimizer: OPTIMIZERS[optimizer](),
          loss: (params) => tf.sum(tf.mul(params.get('w'), params.get('v'))),
          l2: 0.1,
          seed: 1,
          compile,
        });
        const results = [];
        for (let k = 0; k < 30; k++) results.push((await step.run([{}], 1e-3)).loss);
        const tensors = await store.export();
        step.dispose();
        store.dispose();
        return { results, tensors };
      };
      const [eager, graph] = [await run(false), await run(true)];
      assertClose(graph.results, eager.results, `${optimizer}: losses`, 1e-2, 1e-5);
      for (const name of ['w', 'v'])
        assertClose(
          graph.tensors.get(name)!.data,
          eager.tensors.get(name)!.data,
          `${optimizer}: ${name}`,
          2e-6,
        );
    }
  });

  test('an optimizer without a kernel is recorded op by op, and makes the same of everything', async () => {
    for (const create of [OPTIMIZERS.adamw, OPTIMIZERS.adagrad, OPTIMIZERS.ftrl, OPTIMIZERS.momentum]) {
      const { kernel, ...composed } = create();
      assert.ok(kernel);
      const run = async (optimizer: Optimizer) => {
        const store = new ParameterStore(new Map([['w', { ...weight, shape: [1, 3] }]]));
        const loss: StepOptions['loss'] = (params, { x }) =>
          tf.sum(tf.square(tf.sub(tf.mul(tf.reshape(params.get('w'), [3]), x!), 5)));
        const step = compileStep({ store, optimizer, loss, ema: 0.5, l2: 0.1, seed: 1 });
        for (let k = 0; k < 5; k++) await step.run([batch], 0.1);
        const tensors = new Map([...(await store.export()), ...(await step.export())]);
        step.dispose();
        store.dispose();
        return tensors;
      };
      const [one, other] = [await run(create()), await run(composed)];
      for (const [name, { data }] of one)
        assertClose(other.get(name)!.data, data, `${composed.name}: ${name}`);
    }
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
