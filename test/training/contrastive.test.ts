import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { compileStep } from '../../src/compute/compile.js';
import { OPTIMIZERS } from '../../src/compute/optimizers/index.js';
import { ParameterStore } from '../../src/compute/parameters.js';
import { LOSSES } from '../../src/model/losses/index.js';
import type { Encoded, Model } from '../../src/model/model.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { Random } from '../../src/random.js';
import { labelObjective } from '../../src/training/objective.js';
import { taskBatches } from '../../src/training/stage.js';
import { assertNoLeak } from '../suites/assertions.js';
import { onBackend, onEachBackend } from '../suites/backends.js';
import { datasetOf, randomEvents, richCatalogue } from '../suites/fixtures.js';
import { taskOf } from '../suites/gradients.js';
import { assertResumes, pretraining, TINY_TRANSFORMER } from '../suites/pretraining.js';

const CATALOGUE = richCatalogue(6, 10);
const DATASET = datasetOf(CATALOGUE, randomEvents(CATALOGUE, 12));
const CONTRASTIVE = { weight: 0.5, temperature: 0.2 };

const run = pretraining(DATASET);

onEachBackend('pretrain with contrastive', (backend) => {
  test('ends with the same bits when resumed, tables by rows included', async () => {
    const losses = await assertResumes(run, { contrastive: CONTRASTIVE }, { contrastive: {} });
    for (const { whole, plain } of losses) assert.ok(whole > plain + 0.1, 'it is part of the loss');
  });

  test('the second encoding draws other masks than the first, and other ones each step', async () => {
    const states: number[][] = [];
    const model = createModel(modelSchema.parse(TINY_TRANSFORMER), CATALOGUE);
    const watched: Model = {
      ...model,
      encode(params, batch, pass): Encoded {
        const encoded = model.encode(params, batch, pass);
        if (pass.training) states.push([...encoded.states.dataSync()]);
        return encoded;
      },
    };
    const store = new ParameterStore(model.init(new Random(7)), model.constants());
    const loss = labelObjective(watched, LOSSES.softmax, CONTRASTIVE);
    // Op by op: a recorded step cannot be read from. That both are equal is tested with the steps.
    const step = compileStep({ store, optimizer: OPTIMIZERS.sgd(), loss, seed: 1, compile: false });
    const batch = taskBatches(model, DATASET, taskOf('softmax', 'next-item')).batches.batch(0, 0);
    for (let n = 0; n < 2; n++) await step.run([batch], 0);
    assert.equal(states.length, 4);
    assert.equal(new Set(states.map((s) => s.join())).size, 4);
    const labels = labelObjective(model, LOSSES.softmax);
    const plain = compileStep({ store, optimizer: OPTIMIZERS.sgd(), loss: labels, seed: 1, compile: false });
    assert.equal(await step.evaluate(batch), await plain.evaluate(batch), 'evaluate is of the labels alone');
    plain.dispose();
    step.dispose();
    store.dispose();
  });

  test('hidden items and the label task are trained as well, and no tensor is left behind', async () => {
    const both = { ...TINY_TRANSFORMER, direction: 'both' };
    const label = { minimumValue: 3, negatives: 1 };
    for (const config of [{ model: both }, { task: 'label', loss: 'bce', label }])
      await assertNoLeak(`${backend}, ${JSON.stringify(config)}`, async () => {
        const { fit } = await run({ ...config, contrastive: CONTRASTIVE, epochs: 1 });
        assert.ok(Number.isFinite(fit.history[0]!.loss));
      });
  });
});

onBackend('cpu', 'contrastive', () => {
  test('alone it makes a model tell sequences apart', async () => {
    const model = createModel(modelSchema.parse({ ...TINY_TRANSFORMER, width: 16, dropout: 0.1 }), CATALOGUE);
    const store = new ParameterStore(model.init(new Random(7)), model.constants());
    const nothing = { ...LOSSES.softmax, compute: () => tf.scalar(0) };
    const loss = labelObjective(model, nothing, { weight: 1, temperature: 0.2 });
    const step = compileStep({ store, optimizer: OPTIMIZERS.adam(), loss, seed: 1 });
    const batch = taskBatches(model, DATASET, taskOf('softmax', 'next-item')).batches.batch(0, 0);
    const losses: number[] = [];
    for (let n = 0; n < 40; n++) losses.push((await step.run([batch], 0.01)).loss);
    step.dispose();
    store.dispose();
    const mean = (from: number): number => losses.slice(from, from + 5).reduce((a, b) => a + b) / 5;
    assert.ok(mean(35) < 0.5 * mean(0), `${mean(0)} → ${mean(35)}`);
  });

  test('a model that encodes without dropout is refused, by the key and with a remedy', async () => {
    const linear = { name: 'linear', width: 4, length: 4 };
    // The dropout of this one is in its scores.
    const mlp = { name: 'mlp', width: 4, hidden: [6], length: 4, dropout: 0.5 };
    for (const model of [linear, mlp, { ...TINY_TRANSFORMER, dropout: 0 }]) {
      await assert.rejects(run({ model, contrastive: CONTRASTIVE }), {
        code: 'CONFIG_INVALID',
        message: /contrastive\.weight: .* without dropout/,
      });
    }
    await run({ model: linear, contrastive: { weight: 0 }, epochs: 1 });
  });
});
