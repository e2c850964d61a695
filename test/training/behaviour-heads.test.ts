import assert from 'node:assert/strict';
import { test } from 'node:test';
import { evaluateScorer } from '../../src/evaluation/evaluate.js';
import { behaviourTasks } from '../../src/evaluation/per-behaviour.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { restoreModel } from '../../src/model/restore.js';
import { modelScorer } from '../../src/model/scorer.js';
import { Random } from '../../src/random.js';
import { layoutOf } from '../../src/training/distill/record.js';
import { askTeacher } from '../../src/training/distill/teacher.js';
import { finetune, finetuneSchema } from '../../src/training/finetune.js';
import { pretrain, pretrainSchema } from '../../src/training/pretrain.js';
import { labelSchema, targetsSchema } from '../../src/training/schema.js';
import { type StageHooks, type TrainedModel, taskBatches } from '../../src/training/stage.js';
import { trainRows } from '../../src/training/train-rows.js';
import type { Query } from '../../src/types.js';
import { assertClose, assertSameTensors } from '../suites/assertions.js';
import { onBackend } from '../suites/backends.js';
import {
  catalogueOf,
  datasetOf,
  type Event,
  randomEvents,
  recordingContext,
  withNoise,
} from '../suites/fixtures.js';
import { taskOf } from '../suites/gradients.js';

const HOOKS: StageHooks = { saveSnapshot: async () => {}, onEpoch() {} };
const PLAIN = { name: 'transformer', width: 8, depth: 1, heads: 1, length: 4, dropout: 0 };
const HEADS = { ...PLAIN, behaviourHeads: true };
const CATALOGUE = catalogueOf(6, 12);

/** One user who views 1 and 2, buys 3, views 4 and, held out, buys 5. */
const EVENTS: readonly Event[] = [0, 0, 1, 0, 1].map((behaviour, n) => ({
  user: 1,
  item: n + 1,
  behaviour,
  value: 4,
  split: n < 4 ? 'train' : 'validation',
}));

/** The first batch of a model with this config. */
function batchOf(config: object, targets: object, events = EVENTS, label = false) {
  const model = createModel(modelSchema.parse(config), CATALOGUE);
  const more = { targets: targetsSchema.parse(targets) };
  const task = label
    ? taskOf('bce', 'label', { ...more, label: labelSchema.parse({ minimumValue: 3 }) })
    : taskOf('softmax', 'next-item', { ...more, masking: 1 });
  return taskBatches(model, datasetOf(CATALOGUE, events), task).batches.batch(0, 0);
}

const restored = ({ config, catalogue, tensors }: TrainedModel) =>
  restoreModel({ path: 'trained', manifest: { model: { config } }, tensors, catalogue });

onBackend('cpu', 'behaviour heads in training', () => {
  test('each position is asked about the behaviour of its target, not of its own event', () => {
    const batch = batchOf(HEADS, { unasked: 0 });
    assert.deepEqual([...batch.items!.data], [0, 1, 2, 3]);
    assert.deepEqual([...batch.behaviours!.data], [0, 1, 1, 2]);
    assert.deepEqual([...batch.targets!.data].slice(0, 4), [1, 2, 3, 4]);
    assert.deepEqual(batch.asked, { dtype: 'I32', shape: [1, 4], data: Int32Array.of(1, 1, 2, 1) });
    const bought = batchOf(HEADS, { unasked: 0, behaviours: ['buy'] });
    assert.deepEqual([...bought.asked!.data], [0, 0, 2, 0], 'without a target nothing is asked');
    assert.ok(!('asked' in batchOf(PLAIN, {})), 'a model that does not ask is not fed any');
  });

  test('a hidden item is asked for by its own behaviour, and a pair by its own', () => {
    const hidden = batchOf({ ...HEADS, direction: 'both' }, { unasked: 0 });
    assert.deepEqual([...hidden.items!.data], [1, 2, 3, 4]);
    assert.deepEqual([...hidden.asked!.data], [1, 1, 2, 1]);
    const pairs = batchOf(HEADS, { unasked: 0 }, EVENTS, true);
    const asked = Array.from(pairs.targets!.data, (item, row) => [
      item,
      ...pairs.asked!.data.slice(4 * row, 4 * row + 4),
    ]);
    assert.deepEqual(
      asked.filter(([item]) => item! > 0).sort(([a], [b]) => a! - b!),
      [
        [1, 0, 0, 0, 1],
        [2, 0, 0, 0, 1],
        [3, 0, 0, 0, 2],
        [4, 0, 0, 0, 1],
      ],
    );
  });

  test('a share of the targets is learned unasked: others each epoch, the same again when asked again', () => {
    const model = createModel(modelSchema.parse(HEADS), CATALOGUE);
    const dataset = datasetOf(CATALOGUE, randomEvents(CATALOGUE, 3, 40, 60));
    const shares = (unasked: number): number => {
      const task = taskOf('softmax', 'next-item', { targets: targetsSchema.parse({ unasked }) });
      const { batches } = taskBatches(model, dataset, task);
      let [told, all] = [0, 0];
      for (let epoch = 0; epoch < 4; epoch++)
        for (let index = 0; index < batches.batchesPerEpoch; index++) {
          const { asked, weights } = batches.batch(epoch, index);
          told += asked!.data.filter((behaviour) => behaviour > 0).length;
          all += weights!.data.filter((weight) => weight > 0).length;
        }
      assert.deepEqual(batches.batch(1, 0).asked, batches.batch(1, 0).asked);
      return 1 - told / all;
    };
    assert.deepEqual([shares(0), shares(1)], [0, 1]);
    // About 1,200 targets: deviation 0.013.
    assert.ok(Math.abs(shares(0.3) - 0.3) < 0.06);
  });

  test('`targets.weights` weighs the losses of behaviours, and names none that is not there', () => {
    const { weights } = batchOf(HEADS, { weights: { buy: 3 } });
    assert.deepEqual([...weights!.data].slice(0, 4), [1, 1, 3, 1]);
    const { targets } = batchOf(HEADS, { weights: { view: 0 } });
    assert.deepEqual(
      [...targets!.data].filter((item) => item > 0),
      [3],
    );
    assert.throws(() => batchOf(HEADS, { weights: { rent: 1 } }), {
      code: 'CONFIG_INVALID',
      message: /targets\.weights: "rent" is not in the dataset \(it has view, buy\)/,
    });
  });

  test('a teacher is asked about the behaviour of each target', async () => {
    const config = modelSchema.parse(HEADS);
    const model = createModel(config, CATALOGUE);
    const inits = withNoise(model.init(new Random(1)), 2);
    const teacher = { model, config, catalogue: CATALOGUE, inits };
    const rows = trainRows(datasetOf(CATALOGUE, EVENTS), targetsSchema.parse({}));
    const layout = layoutOf(12, 1, 0, 0);
    const best: number[] = [];
    await askTeacher(
      teacher,
      { rows, layout, temperature: 1, layer: -1, seed: 1 },
      (row, record) => {
        best[row] = new Uint16Array(record.buffer, record.byteOffset, 1)[0]!;
      },
      recordingContext(),
    );
    const scorer = modelScorer(teacher);
    const bestFor = async (row: number, asks: object): Promise<number> => {
      const before = EVENTS.slice(0, row);
      const query: Query = {
        user: 1,
        items: Int32Array.from(before, ({ item }) => item),
        behaviours: Uint8Array.from(before, ({ behaviour }) => behaviour!),
        ...asks,
      };
      const scores = await scorer.score([query]);
      return scores.subarray(1).reduce((top, score, i) => (score > scores[top]! ? i + 1 : top), 1);
    };
    const [told, untold]: [number[], number[]] = [[], []];
    for (let row = 0; row < 4; row++) {
      told.push(await bestFor(row, { asks: EVENTS[row]!.behaviour! }));
      untold.push(await bestFor(row, {}));
    }
    scorer.dispose();
    assert.deepEqual(best, told);
    assert.notDeepEqual(told, untold);
  });

  test('a model that is given heads begins as it was, and keeps them', async () => {
    const dataset = datasetOf(CATALOGUE, randomEvents(CATALOGUE, 3));
    const common = { data: 'x', epochs: 1 };
    const plain = await pretrain(
      pretrainSchema.parse({ ...common, model: PLAIN }),
      dataset,
      undefined,
      HOOKS,
      recordingContext(),
    );
    const run = (optimizer: object, config: object = {}) =>
      finetune(
        finetuneSchema.parse({ ...common, from: 'x', behaviourHeads: true, optimizer, ...config }),
        dataset,
        restored(plain),
        HOOKS,
        recordingContext(),
      );
    const still = await run({ name: 'sgd', learningRate: 1e-30 });
    assert.ok(still.tensors.get('behaviourHeads.weight')!.data.every((weight) => Math.abs(weight) < 1e-20));
    assertSameTensors(
      new Map([...still.tensors].filter(([name]) => plain.tensors.has(name))),
      plain.tensors,
      'everything else',
    );
    const [before, after] = [modelScorer(restored(plain)), modelScorer(restored(still))];
    const query: Query = { user: 1, items: Int32Array.of(3), behaviours: Uint8Array.of(0), asks: 1 };
    assertClose(await after.score([query]), await before.score([query]), 'scores', 1e-6);
    before.dispose();
    after.dispose();
    const moved = await run({ learningRate: 0.01 });
    assert.equal('behaviourHeads' in moved.config && moved.config.behaviourHeads, true);
    assert.ok(moved.tensors.get('behaviourHeads.weight')!.data.some((weight) => Math.abs(weight) > 1e-3));
    await assert.rejects(
      finetune(
        finetuneSchema.parse({ ...common, from: 'x', behaviourHeads: true }),
        dataset,
        { ...restored(plain), config: modelSchema.parse({ name: 'mlp', width: 4 }) },
        HOOKS,
        recordingContext(),
      ),
      { code: 'CONFIG_INVALID', message: /behaviourHeads: the model mlp can have none/ },
    );
    const adapter = finetuneSchema.safeParse({ ...common, from: 'x', behaviourHeads: true, adapter: {} });
    assert.deepEqual(adapter.error?.issues[0]?.path, ['behaviourHeads']);
  });
});

/** After item n of 6 the next view is of n + 1 and the next purchase of n + 6: which of both it is, chance decides. */
function viewsAndPurchases(users: number): Event[] {
  const events: Event[] = [];
  for (let user = 1; user <= users; user++) {
    let at = user % 6;
    for (let n = 0; n < 13; n++) {
      // Mixed up, but the same at every run.
      const buys = (user * 7 + n * n * 3 + n * user) % 5 < 2 || n === 12 ? (user + n) % 2 === 0 : false;
      if (!buys) at = (at + 1) % 6;
      events.push({
        user,
        item: buys ? at + 7 : at + 1,
        behaviour: buys ? 1 : 0,
        split: n < 12 ? 'train' : 'validation',
      });
    }
  }
  return events;
}

onBackend('cpu', 'what is bought next is not what is viewed next', () => {
  test('heads tell the two apart, and a plain model cannot', async () => {
    const dataset = datasetOf(catalogueOf(24, 12), viewsAndPurchases(24));
    const settings = { part: 'validation', ks: [1], filterSeen: false, seed: 1 } as const;
    const tasks = behaviourTasks(dataset, settings);
    assert.deepEqual(
      tasks.map(({ behaviour, evaluation }) => [behaviour, evaluation.queries.length]),
      [
        ['view', 12],
        ['buy', 12],
      ],
    );
    const found: Record<string, number[]> = {};
    for (const [name, model] of Object.entries({ plain: PLAIN, heads: HEADS })) {
      const config = pretrainSchema.parse({
        data: 'x',
        model: { ...model, width: 16 },
        epochs: 40,
        batchSize: 8,
        optimizer: { learningRate: 0.02 },
        validation: { metric: 'loss', patience: 0, every: 10 },
      });
      const trained = await pretrain(config, dataset, undefined, HOOKS, recordingContext());
      if (name === 'heads') {
        const { bestRow } = trained.fit;
        assert.ok(bestRow['ndcg@10/view'] !== undefined && bestRow['ndcg@10/buy'] !== undefined);
        const mean = (bestRow['ndcg@10/view'] + bestRow['ndcg@10/buy']) / 2;
        assertClose([mean], [bestRow['ndcg@10']!], 'as many of each', 1e-6);
      }
      const scorer = modelScorer(restored(trained));
      found[name] = [];
      for (const { evaluation } of tasks) {
        const { metrics } = await evaluateScorer(scorer, evaluation, { ks: [1], filterSeen: false });
        found[name].push(metrics['hr@1']!);
      }
      scorer.dispose();
    }
    const [views, purchases] = found.heads!;
    assert.ok(views! > 0.9 && purchases! > 0.9, `heads: hr@1 ${views} and ${purchases}`);
    const [viewed, bought] = found.plain!;
    assert.ok(viewed! + bought! < 1.3, `plain: hr@1 ${viewed} and ${bought}`);
  });
});
