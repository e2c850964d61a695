import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { itemTables } from '../../src/model/weights.js';
import { Random } from '../../src/random.js';
import { finetune, finetuneSchema } from '../../src/training/finetune.js';
import { pretrain, pretrainSchema } from '../../src/training/pretrain.js';
import type { Snapshot } from '../../src/training/progress.js';
import { assertNoLeak, assertSameTensors } from '../suites/assertions.js';
import { onBackend, onEachBackend } from '../suites/backends.js';
import { datasetOf, randomEvents, recordingContext, richCatalogue } from '../suites/fixtures.js';

const CATALOGUE = richCatalogue(6, 10);
const DATASET = datasetOf(CATALOGUE, randomEvents(CATALOGUE, 12));
const TRANSFORMER = { name: 'transformer', width: 4, depth: 1, heads: 1, length: 4, dropout: 0.3 };
const ADVERSARIAL = { weight: 0.5, epsilon: 0.3 };

const hooks = (snapshots: Snapshot[] = [], resumeFrom?: Snapshot) => ({
  saveSnapshot: async (s: Snapshot) => void snapshots.push(s),
  resumeFrom,
  onEpoch() {},
});
const run = (config: object, snapshots: Snapshot[] = [], resumeFrom?: Snapshot) =>
  pretrain(
    pretrainSchema.parse({ data: 'x', epochs: 2, batchSize: 3, model: TRANSFORMER, seed: 5, ...config }),
    DATASET,
    undefined,
    hooks(snapshots, resumeFrom),
    recordingContext(),
  );

onEachBackend('pretrain with adversarial', (backend) => {
  test('ends with the same bits when resumed, tables by rows included', async () => {
    for (const loss of ['softmax', 'sampled-softmax']) {
      const config = { loss, negatives: 4, adversarial: ADVERSARIAL, snapshotSteps: 1, accumulate: 2 };
      const snapshots: Snapshot[] = [];
      const whole = await run(config, snapshots);
      const again = await run(config, [], snapshots[0]);
      assertSameTensors(again.tensors, whole.tensors, 'best parameters');
      assertSameTensors(again.fit.last.tensors, whole.fit.last.tensors, 'last parameters');
      assertSameTensors(again.fit.last.optimizer, whole.fit.last.optimizer, 'optimizer');
      const plain = await run({ ...config, adversarial: { weight: 0 } });
      assert.notDeepEqual(plain.fit.last.tensors, whole.fit.last.tensors);
      assert.ok(
        whole.fit.history[0]!.loss > 1.5 * plain.fit.history[0]!.loss,
        'half of a loss that is larger is added',
      );
    }
  });

  test('goes with every loss, model with item vectors, task and addition, and no tensor is left behind', async () => {
    const label = { minimumValue: 3, negatives: 1 };
    const narrow = { width: 4, length: 4 };
    for (const config of [
      { model: { ...TRANSFORMER, tied: false }, loss: 'gbce' },
      { model: { ...TRANSFORMER, direction: 'both' }, contrastive: { weight: 0.1 } },
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
    assert.deepEqual(tables({ ...TRANSFORMER, outputBias: true }), ['item.embedding']);
    assert.deepEqual(tables({ ...TRANSFORMER, tied: false }), ['item.embedding', 'output.embedding']);
    assert.deepEqual(tables({ ...TRANSFORMER, itemIds: false }), []);
    assert.deepEqual(tables({ name: 'mlp', user: 'both' }), ['item.embedding']);
  });

  test('a model without vectors of items is refused, by the key and with a remedy', async () => {
    const wanted = { code: 'CONFIG_INVALID', message: /adversarial\.weight: .* no item embeddings/ };
    for (const model of [
      { ...TRANSFORMER, itemIds: false },
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
