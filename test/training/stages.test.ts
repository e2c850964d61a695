import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { OPTIMIZERS, type OptimizerName } from '../../src/compute/optimizers/index.js';
import { restoreModel } from '../../src/model/restore.js';
import { modelScorer } from '../../src/model/scorer.js';
import { readSnapshot, saveSnapshot } from '../../src/storage/snapshot.js';
import { finetune, finetuneSchema, frozenNames } from '../../src/training/finetune.js';
import { pretrain, pretrainSchema } from '../../src/training/pretrain.js';
import type { Row, Snapshot } from '../../src/training/progress.js';
import type { StageHooks, TrainedModel } from '../../src/training/stage.js';
import type { Query } from '../../src/types.js';
import { assertNoLeak, assertSameTensors } from '../suites/assertions.js';
import { onBackend, onEachBackend } from '../suites/backends.js';
import {
  catalogueOf,
  datasetOf,
  type Event,
  randomEvents,
  recordingContext,
  richCatalogue,
} from '../suites/fixtures.js';
import { hooks, restored } from '../suites/pretraining.js';

const CATALOGUE = richCatalogue(6, 10);
const DATASET = datasetOf(CATALOGUE, randomEvents(CATALOGUE, 12));
const TRANSFORMER = { name: 'transformer', width: 4, depth: 1, heads: 1, length: 4, dropout: 0.3 };
const MLP = { name: 'mlp', width: 4, hidden: [6], length: 4, dropout: 0.2 };

const pretrainOn = (config: object, more: { hooks?: StageHooks; stop?: number } = {}) => {
  const context = recordingContext();
  const run = pretrain(
    pretrainSchema.parse({
      data: 'made-up',
      epochs: 2,
      batchSize: 3,
      model: TRANSFORMER,
      seed: 5,
      ...config,
    }),
    DATASET,
    undefined,
    more.hooks ?? hooks(),
    more.stop === undefined
      ? context
      : { ...context, progress: (event) => void (event.done === more.stop && context.stop()) },
  );
  return run;
};

onEachBackend('pretrain', (backend) => {
  test('a profile changes nothing, and names the costliest operations or says what it needs', async () => {
    const config = pretrainSchema.parse({ data: 'made-up', epochs: 1, batchSize: 3, model: TRANSFORMER });
    const plain = await pretrain(config, DATASET, undefined, hooks(), recordingContext());
    const context = recordingContext();
    const profiled = await pretrain({ ...config, profile: true }, DATASET, undefined, hooks(), context);
    assertSameTensors(profiled.tensors, plain.tensors, 'with and without a profile');
    const said = context.lines.filter((line) => /costliest|ms, \d+ %$|needs the native backend/.test(line));
    if (backend !== 'tensorflow') assert.deepEqual(said.length, 1);
    else {
      assert.match(said[0]!, /a step of \d+ operations/);
      assert.match(said.join(), /SoftmaxLoss|MatMul/);
    }
  });

  for (const optimizer of Object.keys(OPTIMIZERS) as OptimizerName[]) {
    test(`${optimizer}: resumed from any snapshot it ends with the same bits`, async () => {
      for (const loss of backend === 'tensorflow' ? ['sampled-softmax'] : ['softmax', 'sampled-softmax']) {
        const config = {
          loss,
          negatives: 4,
          optimizer: { name: optimizer, learningRate: 0.02 },
          snapshotSteps: 1,
        };
        const snapshots: Snapshot[] = [];
        const whole = await pretrainOn(config, { hooks: hooks(snapshots) });
        assert.ok(snapshots.length >= 4, `${snapshots.length} snapshots`);
        // Recording takes seconds a run: there, an early and a late one.
        const chosen = backend === 'tensorflow' ? [snapshots[1]!, snapshots.at(-2)!] : snapshots;
        for (const snapshot of chosen) {
          const again = await pretrainOn(config, { hooks: hooks([], snapshot) });
          assertSameTensors(again.tensors, whole.tensors, 'best parameters');
          assertSameTensors(again.fit.last.tensors, whole.fit.last.tensors, 'last parameters');
          assertSameTensors(again.fit.last.optimizer, whole.fit.last.optimizer, 'optimizer');
          assert.deepEqual(again.fit.history, whole.fit.history);
        }
      }
    });
  }

  test('with averages, weight decay and accumulation too, and it is the averages that are kept', async () => {
    for (const loss of ['softmax', 'sampled-softmax']) {
      const config = {
        loss,
        negatives: 4,
        optimizer: { name: 'adamw', weightDecay: 0.5, learningRate: 0.02 },
        accumulate: 2,
        snapshotSteps: 1,
        validation: { patience: 0 },
        ema: 0.8,
      };
      const snapshots: Snapshot[] = [];
      const whole = await pretrainOn(config, { hooks: hooks(snapshots) });
      for (const snapshot of [snapshots[0]!, snapshots.at(-2)!]) {
        const again = await pretrainOn(config, { hooks: hooks([], snapshot) });
        assertSameTensors(again.tensors, whole.tensors, 'best parameters');
        assertSameTensors(again.fit.last.tensors, whole.fit.last.tensors, 'last parameters');
        assertSameTensors(again.fit.last.optimizer, whole.fit.last.optimizer, 'optimizer and averages');
        assert.deepEqual(again.fit.history, whole.fit.history);
      }
      const { last } = whole.fit;
      const lastOf = ({ fit }: TrainedModel) =>
        new Map([...fit.last.tensors].filter(([name]) => !name.startsWith('best/')));
      assert.ok(last.optimizer.has('norm.gain/average'));
      assert.notDeepEqual(whole.tensors.get('norm.gain'), last.tensors.get('norm.gain'));
      const plain = await pretrainOn({ ...config, ema: 0 });
      assertSameTensors(lastOf(plain), lastOf(whole), 'the training itself is the same without averages');
      assert.notDeepEqual(plain.tensors.get('norm.gain'), whole.tensors.get('norm.gain'));
      const undecayed = await pretrainOn({ ...config, optimizer: { name: 'adam', learningRate: 0.02 } });
      const embedding = (run: TrainedModel) => lastOf(run).get('item.embedding')!.data;
      assert.notDeepEqual(embedding(undecayed), embedding(whole));
    }
  });

  test('every model and loss trains, with accumulation as well, and leaves no tensor behind', async () => {
    const linear = { name: 'linear', width: 4, length: 4 };
    for (const model of [TRANSFORMER, MLP, linear]) {
      for (const [task, loss] of [
        ['next-item', 'softmax'],
        ['next-item', 'bce'],
        ['label', 'bce'],
        ['label', 'mse'],
      ]) {
        const label = loss === 'mse' ? {} : { minimumValue: 3, negatives: 1 };
        await assertNoLeak(`${model.name}, ${task}, ${loss}`, async () => {
          const config = { model, task, loss, label, negatives: 2, epochs: 1, accumulate: 2 };
          const { tensors, fit } = await pretrainOn(config);
          for (const { data } of tensors.values()) assert.ok(Float32Array.from(data).every(Number.isFinite));
          if (task === 'label') assert.ok(Number.isFinite(fit.bestRow.validation_loss));
        });
      }
    }
  });
});

onBackend('wasm', 'training stages', () => {
  test('interrupted, written to disk and resumed, a run ends with the bits of an uninterrupted one', async () => {
    const config = {
      optimizer: { name: 'adam', learningRate: 0.02, decay: 'cosine', warmupSteps: 2 },
      epochs: 3,
    };
    const whole = await pretrainOn(config);
    const dir = await mkdtemp(join(tmpdir(), 'recsys-resume-'));
    try {
      const save: StageHooks = { saveSnapshot: (s) => saveSnapshot(dir, s), onEpoch() {} };
      await assert.rejects(pretrainOn(config, { hooks: save, stop: 3 }), { code: 'INTERRUPTED' });
      const snapshot = await readSnapshot(dir);
      assert.ok(snapshot);
      const again = await pretrainOn(config, { hooks: hooks([], snapshot) });
      assertSameTensors(again.tensors, whole.tensors, 'best parameters');
      assertSameTensors(again.fit.last.optimizer, whole.fit.last.optimizer, 'optimizer');
      assert.deepEqual(again.fit.history, whole.fit.history);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  test('another seed gives another model, the same one the same bits', async () => {
    const [one, two, other] = [await pretrainOn({}), await pretrainOn({}), await pretrainOn({ seed: 6 })];
    assertSameTensors(two.tensors, one.tensors, 'same seed');
    assert.notDeepEqual(other.tensors.get('item.embedding'), one.tensors.get('item.embedding'));
  });

  test('rows of the history carry the loss, the rate and the validation’s metrics; the loss falls', async () => {
    const rows: Row[] = [];
    await pretrainOn(
      { epochs: 12, optimizer: { learningRate: 0.03 }, validation: { patience: 0 } },
      { hooks: { ...hooks(), onEpoch: (row) => void rows.push(row) } },
    );
    assert.equal(rows.length, 12);
    for (const key of ['loss', 'learningRate', 'ndcg@10', 'hr@10']) assert.ok(key in rows[0]!, key);
    assert.ok(rows.at(-1)!.loss < rows[0]!.loss - 0.2, `${rows[0]!.loss} → ${rows.at(-1)!.loss}`);
  });

  test('without validation rows for the targets every epoch is run and the last is kept', async () => {
    const events: Event[] = randomEvents(CATALOGUE, 2).map((e) =>
      e.split === 'validation' ? { ...e, behaviour: 0 } : e,
    );
    const context = recordingContext();
    const config = pretrainSchema.parse({
      data: 'x',
      model: TRANSFORMER,
      epochs: 3,
      batchSize: 8,
      targets: { behaviours: ['buy'] },
      validation: { patience: 1 },
    });
    const { fit } = await pretrain(config, datasetOf(CATALOGUE, events), undefined, hooks(), context);
    assert.deepEqual([fit.history.length, fit.bestRow.epoch], [3, 3]);
    assert.match(context.lines.join('\n'), /warn: there is nothing to validate on/);
  });

  test('label metrics stand beside the majority’s rate, whichever label is the more frequent', async () => {
    const values = [...DATASET.interactions.value].filter((_, r) => DATASET.interactions.split[r] === 1);
    const shares = [];
    for (const minimumValue of [2, 5]) {
      const { fit } = await pretrainOn({ model: MLP, task: 'label', loss: 'bce', label: { minimumValue } });
      const positive = values.filter((v) => v >= minimumValue).length / values.length;
      assert.equal(fit.bestRow.validation_majority, Math.max(positive, 1 - positive));
      assert.ok(fit.bestRow.validation_accuracy! >= 0 && fit.bestRow.validation_accuracy! <= 1);
      shares.push(positive);
    }
    assert.ok(shares[0]! > 0.5 && shares[1]! < 0.5, `both sides are tried: ${shares}`);
  });

  test('a learning rate beyond reason ends as DIVERGED', async () => {
    const config = { optimizer: { name: 'sgd', learningRate: 1e30 }, clipNorm: 0, epochs: 4 };
    await assert.rejects(pretrainOn(config), { code: 'DIVERGED' });
  });

  test('continued pretraining and fine-tuning grow the vocabulary and keep what was known', async () => {
    const teacher = restored(await pretrainOn({}));
    const bigger = richCatalogue(8, 13);
    const target = datasetOf({ ...bigger, behaviours: ['view', 'buy', 'rent'] }, randomEvents(bigger, 4));
    const context = recordingContext();
    const continued = await pretrain(
      pretrainSchema.parse({ data: 'x', epochs: 1, from: 'y', optimizer: { learningRate: 1e-9 } }),
      target,
      teacher,
      hooks(),
      context,
    );
    assert.ok(context.lines.includes('info: vocabulary grown'));
    assert.deepEqual(continued.tensors.get('item.embedding')!.shape, [14, 4]);
    assert.deepEqual(continued.tensors.get('behaviour.embedding')!.shape, [4, 4]);
    const query: Query = { user: 1, items: Int32Array.of(1, 2), behaviours: Uint8Array.of(0, 1) };
    const [before, after] = [modelScorer(teacher), modelScorer(restored(continued))];
    const [old, grown] = [await before.score([query]), await after.score([query])];
    for (let item = 1; item <= 10; item++)
      assert.ok(Math.abs(old[item]! - grown[item]!) < 1e-4, `item ${item}`);
    assert.equal(grown.length, 14);
    before.dispose();
    after.dispose();

    const tuned = await finetune(
      finetuneSchema.parse({
        data: 'x',
        from: 'y',
        epochs: 1,
        freeze: ['blocks', 'item.embedding'],
        dropout: 0.5,
      }),
      target,
      teacher,
      hooks(),
      recordingContext(),
    );
    assert.deepEqual(tuned.config, teacher.config, 'the dropout of a fine-tuning is not the model’s');
    const kept = tuned.tensors.get('blocks.0.attention.query')!.data;
    assert.deepEqual(kept, teacher.inits.get('blocks.0.attention.query')!.data);
    assert.deepEqual(
      tuned.tensors.get('item.embedding')!.data.subarray(0, 44),
      teacher.inits.get('item.embedding')!.data,
    );
    assert.notDeepEqual(tuned.tensors.get('norm.gain')!.data, teacher.inits.get('norm.gain')!.data);
  });

  test('a label fine-tuning trains the pairs of the target dataset', async () => {
    const teacher = restored(await pretrainOn({ model: MLP }));
    for (const [loss, label] of [
      ['bce', { minimumValue: 4 }],
      ['mse', {}],
    ] as const) {
      const config = finetuneSchema.parse({
        data: 'x',
        from: 'y',
        task: 'label',
        loss,
        label,
        epochs: 15,
        batchSize: 8,
        optimizer: { learningRate: 0.02 },
        validation: { metric: 'loss', patience: 0 },
      });
      const { fit } = await finetune(config, DATASET, teacher, hooks(), recordingContext());
      assert.ok(fit.history.at(-1)!.loss < 0.8 * fit.history[0]!.loss, loss);
    }
  });

  test('`freeze` names parameters by whole parts; one that names none, or all, is refused', () => {
    const all = ['item.embedding', 'items', 'blocks.1.norm', 'blocks.10.norm'];
    assert.deepEqual([...frozenNames(all, ['item', 'blocks.1'])], ['item.embedding', 'blocks.1.norm']);
    assert.deepEqual([...frozenNames(all, ['blocks.', 'items'])].sort(), [
      'blocks.1.norm',
      'blocks.10.norm',
      'items',
    ]);
    assert.deepEqual([...frozenNames(all, [])], []);
    assert.throws(() => frozenNames(all, ['block']), {
      code: 'CONFIG_INVALID',
      message: /"block".*item\.embedding, items, blocks\.1\.norm/,
    });
    assert.throws(() => frozenNames(all, ['item', 'items', 'blocks']), {
      code: 'CONFIG_INVALID',
      message: /every parameter/,
    });
  });

  test('the empty history learns what users begin with', async () => {
    const begins = datasetOf(
      catalogueOf(20, 4),
      Array.from({ length: 20 }, (_, u) => ({ user: u + 1, item: u < 14 ? 3 : 1 + (u % 2) })),
    );
    const config = pretrainSchema.parse({ data: 'x', model: TRANSFORMER, epochs: 60, batchSize: 20 });
    const trained = await pretrain(config, begins, undefined, hooks(), recordingContext());
    const stored = { path: 'x', manifest: { model: { config: trained.config } }, ...trained };
    const scorer = modelScorer(restoreModel(stored));
    const nobody = { user: 0, items: new Int32Array(0), behaviours: new Uint8Array(0) };
    const scores = await scorer.score([nobody]);
    scorer.dispose();
    const best = scores.indexOf(Math.max(...scores.subarray(1)));
    assert.equal(best, 3);
  });
});
