import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { itemTables } from '../../src/model/weights.js';
import { Random } from '../../src/random.js';
import { finetune, finetuneSchema } from '../../src/training/finetune.js';
import { pretrainSchema } from '../../src/training/pretrain.js';
import { assertNoLeak } from '../suites/assertions.js';
import { onBackend, onEachBackend } from '../suites/backends.js';
import { datasetOf, randomEvents, recordingContext, richCatalogue } from '../suites/fixtures.js';
import { assertResumes, hooks, pretraining, TINY_TRANSFORMER } from '../suites/pretraining.js';

const CATALOGUE = richCatalogue(6, 10);
const DATASET = datasetOf(CATALOGUE, randomEvents(CATALOGUE, 12));
const ADVERSARIAL = { weight: 0.5, epsilon: 0.3 };

const run = pretraining(DATASET);

onEachBackend('pretrain with adversarial', (backend) => {
  test('ends with the same bits when resumed, tables by rows included', async () => {
    const losses = await assertResumes(run, { adversarial: ADVERSARIAL }, { adversarial: { weight: 0 } });
    for (const { whole, plain } of losses)
      assert.ok(whole > 1.5 * plain, 'half of a loss that is larger is added');
  });

  test('goes with every loss, model with item vectors, task and addition, and no tensor is left behind', async () => {
    const label = { minimumValue: 3, negatives: 1 };
    const narrow = { width: 4, length: 4 };
    for (const config of [
      { model: { ...TINY_TRANSFORMER, tied: false }, loss: 'gbce' },
      { model: { ...TINY_TRANSFORMER, direction: 'both' }, contrastive: { weight: 0.1 } },
      { task: 'label', loss: 'bce', label },
      { model: { name: 'gru', ...narrow }, loss: 'bce', negatives: 2 },
      { model: { name: 'two-tower', ...narrow, hidden: [4] }, loss: 'sampled-softmax' },
      { model: { name: 'linear', ...narrow }, ema: 0.5 },
      { model: { name: 'mlp', ...narrow, hidden: [4], idDropout: 0.5 }, task: 'label', loss: 'mse' },
      { model: { name: 'fold-in', ...narrow, width: 2 }, task: 'label', loss: 'mse' },
    ])
      await assertNoLeak(`${backend}, ${JSON.stringify(config)}`, async () => {
        const { fit } = await run({ ...config, adversarial: ADVERSARIAL, epochs: 1 });
        assert.ok(Number.isFinite(fit.history[0]!.loss));
      });
  });
});

onBackend('cpu', 'adversarial', () => {
  test('the tables that are moved are those of items’ own vectors', () => {
    const tables = (config: object): string[] =>
      itemTables(createModel(modelSchema.parse(config), CATALOGUE).init(new Random(1)));
    assert.deepEqual(tables({ ...TINY_TRANSFORMER, outputBias: true }), ['item.embedding']);
    assert.deepEqual(tables({ ...TINY_TRANSFORMER, tied: false }), ['item.embedding', 'output.embedding']);
    assert.deepEqual(tables({ ...TINY_TRANSFORMER, itemIds: false }), []);
    assert.deepEqual(tables({ name: 'mlp', user: 'both' }), ['item.embedding']);
  });

  test('a model without vectors of items is refused, by the key and with a remedy', async () => {
    const wanted = { code: 'CONFIG_INVALID', message: /adversarial\.weight: .* no item embeddings/ };
    for (const model of [
      { ...TINY_TRANSFORMER, itemIds: false },
      { name: 'sparse-linear', length: 4 },
    ])
      await assert.rejects(run({ model, adversarial: ADVERSARIAL }), wanted);
    assert.throws(() => pretrainSchema.parse({ data: 'x', adversarial: { weight: 1, epsilon: 0 } }));
  });

  test('an adapter trains against it too, and frozen vectors stay', async () => {
    const { tensors, catalogue, config } = await run({ epochs: 1 });
    const model = createModel(config, catalogue);
    const inits = new Map(
      [...model.init(new Random(1))].map(([name, init]) => [
        name,
        { ...init, data: tensors.get(name)!.data as Float32Array },
      ]),
    );
    const tune = (more: object) =>
      finetune(
        finetuneSchema.parse({ data: 'x', from: 'y', epochs: 1, adversarial: ADVERSARIAL, seed: 5, ...more }),
        DATASET,
        { config, catalogue, model, inits },
        hooks(),
        recordingContext(),
      );
    for (const more of [{ adapter: { rank: 1 } }, { freeze: ['item.embedding'] }]) {
      const tuned = await tune(more);
      assert.deepEqual(tuned.tensors.get('item.embedding')!.data, tensors.get('item.embedding')!.data);
      const plain = await tune({ ...more, adversarial: {} });
      assert.notDeepEqual(tuned.fit.last.tensors, plain.fit.last.tensors);
    }
  });
});
