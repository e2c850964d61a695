import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPTIMIZER_NAMES, OPTIMIZERS } from '../../src/compute/optimizers/index.js';
import { countNonZero } from '../../src/model/pruning/magnitude.js';
import { createModel, type ModelConfig, modelSchema } from '../../src/model/registry.js';
import { type RestoredModel, restoreModel } from '../../src/model/restore.js';
import { modelLearner } from '../../src/online/model-learner.js';
import { learningSchema } from '../../src/online/schema.js';
import { Random } from '../../src/random.js';
import { pack } from '../../src/storage/quantization.js';
import { compressSchema, prune } from '../../src/training/compress.js';
import type { Snapshot } from '../../src/training/progress.js';
import type { StageHooks } from '../../src/training/stage.js';
import { tensorsOf } from '../../src/training/supervised.js';
import type { TensorMap } from '../../src/types.js';
import { assertNoLeak, assertSameTensors } from '../suites/assertions.js';
import { onBackend, onEachBackend } from '../suites/backends.js';
import {
  catalogueOf,
  datasetOf,
  randomEvents,
  recordingContext,
  richCatalogue,
  withNoise,
} from '../suites/fixtures.js';

const CATALOGUE = richCatalogue(6, 10);
const DATASET = datasetOf(CATALOGUE, randomEvents(CATALOGUE, 12));
const TRANSFORMER = { name: 'transformer', width: 4, depth: 2, heads: 2, length: 4, dropout: 0.3 };

function untrained(config: object): RestoredModel {
  const parsed: ModelConfig = modelSchema.parse(config);
  const model = createModel(parsed, CATALOGUE);
  return {
    model,
    config: parsed,
    catalogue: CATALOGUE,
    inits: withNoise(model.init(Random.of(1, 'init')), 2),
  };
}

const configOf = (config: object) =>
  compressSchema.parse({ from: 'checkpoint', data: 'made-up', seed: 5, snapshotSteps: 3, ...config });

const hooks = (snapshots: Snapshot[] = [], resumeFrom?: Snapshot): StageHooks => ({
  saveSnapshot: async (s) => void snapshots.push(structuredClone(s)),
  resumeFrom,
  onEpoch() {},
});

/** Names of the matrices, and where each is 0. */
function zerosOf(tensors: TensorMap): Map<string, number[]> {
  const matrices = [...tensors].filter(([, { shape }]) => shape.length > 1 && shape.at(-1)! > 1);
  return new Map(matrices.map(([name, { data }]) => [name, [...data.keys()].filter((i) => data[i] === 0)]));
}

onEachBackend('compress', () => {
  for (const name of OPTIMIZER_NAMES) {
    for (const loss of ['softmax', 'sampled-softmax'] as const) {
      test(`${name}, ${loss}: what was pruned stays 0, the rest is trained`, async () => {
        const settings = OPTIMIZERS[name]().settings ?? [];
        const optimizer = {
          name,
          learningRate: 0.05,
          ...(settings.includes('weightDecay') ? { weightDecay: 0.1 } : {}),
          ...(settings.includes('l1') ? { l1: 0.001 } : {}),
        };
        const tuning = {
          epochs: 2,
          batchSize: 3,
          optimizer,
          loss,
          l2: 0.01,
          ema: 0.5,
          accumulate: 2,
          negatives: 4,
        };
        const from = untrained(TRANSFORMER);
        const only = configOf({ prune: { share: 0.6 }, finetune: { epochs: 0 } });
        const start = await prune(only, DATASET, from, hooks(), recordingContext());
        assert.equal(start.fit, undefined);
        const config = configOf({ prune: { share: 0.6 }, finetune: tuning });
        await assertNoLeak('compress', async () => {
          const tuned = await prune(config, DATASET, from, hooks(), recordingContext());
          const before = zerosOf(start.tensors);
          for (const [of, zeros] of before) {
            const { data } = tuned.tensors.get(of)!;
            assert.deepEqual(
              zeros.filter((i) => data[i] !== 0),
              [],
              of,
            );
          }
          const query = tuned.tensors.get('blocks.0.attention.query')!;
          assert.notDeepEqual(query.data, start.tensors.get('blocks.0.attention.query')!.data);
        });
      });
    }
  }

  test('structured: the parts are gone from the config and the weights, and the rest is trained', async () => {
    const parts = ['heads', 'channels', 'layers', 'width'];
    const how = { method: 'structured', parts, share: 0.5 };
    const from = untrained({ ...TRANSFORMER, width: 8 });
    const config = configOf({ prune: how, finetune: { epochs: 1, batchSize: 3 } });
    const pruned = await prune(config, DATASET, from, hooks(), recordingContext());
    const expected = { width: 4, depth: 1, heads: 1, headWidth: 4, feedForward: 2 };
    assert.deepEqual({ ...pruned.config, ...expected }, pruned.config);
    const { inits } = restoreModel({
      path: 'pruned',
      manifest: { model: { config: pruned.config } },
      tensors: pruned.tensors,
      catalogue: pruned.catalogue,
    });
    assert.deepEqual(inits.get('blocks.0.attention.query')!.shape, [4, 4]);
    assert.deepEqual(inits.get('blocks.0.feedForward.in')!.shape, [4, 8]);
    assert.ok(!inits.has('blocks.1.attention.query'));
  });
});

onBackend('cpu', 'compress', () => {
  test('an interrupted run, resumed, ends with the same weights and zeros', async () => {
    const config = configOf({ prune: { share: 0.5 }, finetune: { epochs: 3, batchSize: 3 } });
    const from = untrained({ name: 'linear', width: 4, length: 4 });
    const snapshots: Snapshot[] = [];
    const whole = await prune(config, DATASET, from, hooks(snapshots), recordingContext());
    const resumed = await prune(config, DATASET, from, hooks([], snapshots[0]), recordingContext());
    assert.ok(snapshots.length > 0);
    assertSameTensors(resumed.tensors, whole.tensors, 'resumed');
  });

  test('items the checkpoint does not know are learned: only what was pruned stays 0', async () => {
    const wide = catalogueOf(6, 14);
    const dataset = datasetOf(wide, randomEvents(wide, 4));
    const config = configOf({ prune: { share: 0.9 }, finetune: { epochs: 1, batchSize: 3 } });
    const from = untrained({ name: 'linear', width: 4, length: 4 });
    const { tensors, catalogue } = await prune(config, dataset, from, hooks(), recordingContext());
    assert.equal(catalogue.items.length, 15);
    const { data } = tensors.get('item.embedding')!;
    assert.ok(countNonZero([{ data: data.subarray(0, 11 * 4) }]) <= 5);
    assert.equal(countNonZero([{ data: data.subarray(11 * 4) }]), 4 * 4);
  });

  test('parts that a model has not, or has one of, are refused with those it has', async () => {
    const attempt = (model: object, ...parts: string[]) =>
      prune(
        configOf({ prune: { method: 'structured', parts } }),
        DATASET,
        untrained(model),
        hooks(),
        recordingContext(),
      );
    const invalid = (message: RegExp) => ({ code: 'CONFIG_INVALID', exitCode: 2, message });
    const linear = { name: 'linear', width: 4, length: 4 };
    await assert.rejects(attempt(linear, 'heads'), invalid(/linear has no heads to remove \(it has width\)/));
    await assert.rejects(
      attempt({ name: 'mlp', width: 4, hidden: [6] }, 'layers'),
      invalid(/mlp has no layers to remove \(it has channels, width\)/),
    );
    await assert.rejects(
      attempt({ ...TRANSFORMER, feedForwardKind: 'none' }, 'channels'),
      invalid(/has no channels to remove \(it has heads, layers, width\)/),
    );
    await assert.rejects(
      attempt({ ...TRANSFORMER, depth: 1 }, 'layers'),
      invalid(/the model has 1 of its layers, and one has to stay/),
    );
    await assert.rejects(
      attempt({ ...TRANSFORMER, width: 4 }, 'width'),
      invalid(/without 0\.5 of its width the model could not be built: width/),
    );
  });

  test('settings: a share outside (0, 1), parts of magnitude, and nothing to do', () => {
    const refuses = (config: object, path: string, message: RegExp): void => {
      const { error } = compressSchema.safeParse({ from: 'a', data: 'b', ...config });
      const issue = error?.issues.find((one) => one.path.join('.') === path);
      assert.match(issue?.message ?? 'accepted', message);
    };
    for (const share of [0, 1, -0.5, 2, Number.NaN]) refuses({ prune: { share } }, 'prune.share', /expected/);
    refuses({ prune: { parts: ['heads'] } }, 'prune.parts', /for `method: structured`/);
    refuses({}, 'quantize', /nothing to do/);
    assert.ok(compressSchema.safeParse({ from: 'a', data: 'b', quantize: 'int8' }).success);
  });

  test('a served int8 checkpoint learns in float32: an update far below a step is kept', async () => {
    const from = untrained({ name: 'linear', width: 4, length: 4 });
    const tensors = pack(tensorsOf(from.inits), 'int8');
    const manifest = { model: { config: from.config } };
    const restored = restoreModel({ path: 'int8', manifest, tensors, catalogue: CATALOGUE });
    const learner = modelLearner(restored, learningSchema.parse({ optimizer: 'sgd', learningRate: 1e-4 }), 3);
    const before = (await learner.snapshot()).parameters;
    const event = { id: 'e', user: 'u1', item: 'i9', behaviour: 'view', time: 0 };
    const query = { user: 1, items: Int32Array.of(4, 5), behaviours: new Uint8Array(2) };
    await learner.learn([
      { seq: 1, event, query, item: 9, behaviour: 0, weight: 1, known: CATALOGUE.items.length },
    ]);
    const after = (await learner.snapshot()).parameters;
    const moved = after
      .get('output.embedding')!
      .data.map((w, i) => Math.abs(w - before.get('output.embedding')!.data[i]!));
    const largest = Math.max(...moved);
    assert.ok(largest > 0 && largest < tensors.get('output.embedding.scale')!.data[9]! / 4, `${largest}`);
    learner.dispose();
  });
});
