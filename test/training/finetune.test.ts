import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modelScorer } from '../../src/model/scorer.js';
import { finetune, finetuneSchema } from '../../src/training/finetune.js';
import { pretrain, pretrainSchema } from '../../src/training/pretrain.js';
import type { Snapshot } from '../../src/training/progress.js';
import type { TrainedModel } from '../../src/training/stage.js';
import { assertNoLeak, assertSameTensors } from '../suites/assertions.js';
import { onBackend, onEachBackend } from '../suites/backends.js';
import { datasetOf, randomEvents, recordingContext, richCatalogue } from '../suites/fixtures.js';
import { hooks, restored } from '../suites/pretraining.js';

const CATALOGUE = richCatalogue(6, 10);
const OLD = datasetOf(CATALOGUE, randomEvents(CATALOGUE, 12));
const BIGGER = richCatalogue(8, 13);
const TARGET = datasetOf(BIGGER, randomEvents(BIGGER, 8));
const TRANSFORMER = { name: 'transformer', width: 4, depth: 2, heads: 1, length: 4, dropout: 0.3 };

const base = async (model: object = TRANSFORMER) =>
  restored(
    await pretrain(
      pretrainSchema.parse({ data: 'old', epochs: 1, batchSize: 3, model }),
      OLD,
      undefined,
      hooks(),
      recordingContext(),
    ),
  );

const parse = (config: object) =>
  finetuneSchema.parse({ data: 'new', from: 'base', epochs: 3, batchSize: 3, seed: 5, ...config });

const tuneOn = async (
  from: Awaited<ReturnType<typeof base>>,
  config: object,
  more = hooks(),
  dataset = TARGET,
): Promise<TrainedModel> => finetune(parse(config), dataset, from, more, recordingContext(), OLD);

/** Resumed from its second and from its last but one snapshot, a run ends with the bits of the whole one. */
async function resumesBitForBit(config: object): Promise<void> {
  const from = await base();
  const snapshots: Snapshot[] = [];
  const whole = await tuneOn(from, { ...config, snapshotSteps: 1 }, hooks(snapshots));
  for (const snapshot of [snapshots[1]!, snapshots.at(-2)!]) {
    const again = await tuneOn(from, { ...config, snapshotSteps: 1 }, hooks([], snapshot));
    assertSameTensors(again.tensors, whole.tensors, 'best parameters');
    assertSameTensors(again.fit.last.tensors, whole.fit.last.tensors, 'last parameters');
    assertSameTensors(again.fit.last.optimizer, whole.fit.last.optimizer, 'optimizer');
    assert.deepEqual(again.fit.history, whole.fit.history);
  }
}

/** How far a tuned model is from what its base had. */
const distance = (from: Awaited<ReturnType<typeof base>>, { tensors }: TrainedModel): number => {
  let sum = 0;
  for (const [name, { data }] of from.inits)
    data.forEach((w, i) => {
      sum += (tensors.get(name)!.data[i]! - w) ** 2;
    });
  return Math.sqrt(sum);
};

/** Six users who go round five items, from `first`: one after the other, or backwards. */
const rounds = (first: number, step = 1) =>
  datasetOf(
    CATALOGUE,
    Array.from({ length: 6 * 8 }, (_, n) => ({
      user: 1 + Math.floor(n / 8),
      item: first + (((((n % 8) * step + Math.floor(n / 8)) % 5) + 5) % 5),
    })),
  );
const ROUNDS = { epochs: 30, batchSize: 3, optimizer: { learningRate: 0.02 }, validation: { patience: 0 } };

const learned = async (dataset: ReturnType<typeof rounds>) => {
  const model = { ...TRANSFORMER, width: 8, depth: 1, dropout: 0 };
  const config = pretrainSchema.parse({ data: 'old', model, ...ROUNDS });
  return restored(await pretrain(config, dataset, undefined, hooks(), recordingContext()));
};

const continued = async (
  from: Awaited<ReturnType<typeof base>>,
  dataset: ReturnType<typeof rounds>,
  config: object,
  before: ReturnType<typeof rounds>,
) =>
  restored(
    await finetune(parse({ ...ROUNDS, ...config }), dataset, from, hooks(), recordingContext(), before),
  );

/** How often of five the item that comes next in a round from `first` is the best. */
const kept = async (trained: Awaited<ReturnType<typeof base>>, first: number): Promise<number> => {
  const scorer = modelScorer(trained);
  let right = 0;
  for (let place = 0; place < 5; place++) {
    // Two events: which way it goes.
    const items = Int32Array.of(first + ((place + 4) % 5), first + place);
    const scores = await scorer.score([{ user: 0, items, behaviours: new Uint8Array(2) }]);
    if (scores.indexOf(Math.max(...scores.subarray(1))) === first + ((place + 1) % 5)) right++;
  }
  scorer.dispose();
  return right;
};

onEachBackend('finetune', () => {
  for (const loss of ['softmax', 'sampled-softmax'])
    test(`l2Start resumes bit for bit (${loss})`, () =>
      resumesBitForBit({ loss, negatives: 4, l2Start: 0.5, optimizer: { learningRate: 0.02 } }));

  for (const loss of ['softmax', 'sampled-softmax'])
    test(`ewc resumes bit for bit (${loss})`, () =>
      resumesBitForBit({ loss, negatives: 4, l2Start: 0.5, ewc: { data: 'old', examples: 4 } }));

  test('all together resume bit for bit, with averages and accumulation', () =>
    resumesBitForBit({
      ...{ loss: 'sampled-softmax', negatives: 4, l2Start: 0.1, rateDecay: 0.5, unfreeze: 1 },
      replay: { data: 'old', share: 0.4 },
      ...{ accumulate: 2, ema: 0.5, optimizer: { name: 'adamw', learningRate: 0.02 } },
    }));

  test('layers begin one after the other, from the top', async () => {
    const from = await base();
    for (const loss of ['softmax', 'sampled-softmax']) {
      const moved = new Map<number, string[]>();
      const snapshots: Snapshot[] = [];
      const config = { loss, negatives: 4, unfreeze: 1, snapshotSteps: 1, validation: { patience: 1 } };
      const { fit } = await tuneOn(from, config, hooks(snapshots), OLD);
      assert.equal(fit.history.length, 3, 'none is stopped before all of them train');
      const steps = fit.history[0]!.step;
      for (const epoch of [1, 2, 3]) {
        const { tensors } = snapshots[epoch * steps - 1]!;
        const changed = [...from.inits].filter(([name, { data }]) =>
          data.some((w, i) => w !== tensors.get(name)!.data[i]),
        );
        moved.set(
          epoch,
          [...new Set(changed.map(([name]) => name.replace(/(blocks\.\d)?\..*/, '$1')))].sort(),
        );
      }
      assert.deepEqual(moved.get(1), ['blocks.1', 'norm'], loss);
      assert.deepEqual(moved.get(2), ['blocks.0', 'blocks.1', 'norm']);
      assert.ok(
        ['item', 'position'].every((name) => moved.get(3)!.includes(name)),
        `${moved.get(3)}`,
      );
    }
  });
});

onBackend('wasm', 'finetune', () => {
  test('the more l2Start, the nearer to the checkpoint; what is new learns as before', async () => {
    const from = await base();
    for (const loss of ['softmax', 'sampled-softmax']) {
      const config = { loss, negatives: 4, epochs: 10, validation: { patience: 0, metric: 'loss' } };
      const optimizer = { name: 'sgd', learningRate: 0.1 };
      const runs = [];
      for (const l2Start of [0, 0.3, 3]) runs.push(await tuneOn(from, { ...config, optimizer, l2Start }));
      const [free, some, more] = runs.map((run) => distance(from, run));
      assert.ok(some! < 0.8 * free! && more! < 0.7 * some!, `${loss}: ${free}, ${some}, ${more}`);
      const fresh = await tuneOn(from, { ...config, optimizer: { name: 'sgd', learningRate: 1e-9 } });
      const newRows = ({ tensors }: TrainedModel) => tensors.get('item.embedding')!.data.subarray(11 * 4);
      const moved = Math.hypot(...newRows(runs[2]!).map((w, i) => w - newRows(fresh)[i]!));
      assert.ok(moved > 0.01, `new items moved by ${moved}`);
    }
  });

  test('what is replayed is forgotten less, by an adapter as well', async () => {
    const [forwards, backwards] = [rounds(1), rounds(1, -1)];
    const from = await learned(forwards);
    assert.equal(await kept(from, 1), 5);
    for (const more of [{}, { adapter: { rank: 4, target: ['item.embedding', 'blocks'] } }]) {
      const tune = (replay?: object) => continued(from, backwards, { ...more, replay }, forwards);
      const [alone, replayed] = [await tune(), await tune({ data: 'old', share: 0.5 })];
      const [forgotten, remembered] = [await kept(alone, 1), await kept(replayed, 1)];
      assert.ok(forgotten <= 1 && remembered >= 4, `${Object.keys(more)}: ${forgotten}, ${remembered} of 5`);
    }
  });

  test('with ewc the same mean pull keeps as much, and leaves more freedom to learn', async () => {
    const [before, after] = [rounds(1), rounds(6)];
    const from = await learned(before);
    const optimizer = { name: 'sgd', learningRate: 0.02 };
    const tune = (ewc?: object) => continued(from, after, { optimizer, l2Start: 1, ewc }, before);
    const [pulled, elastic] = [await tune(), await tune({ data: 'old' })];
    assert.deepEqual([await kept(pulled, 1), await kept(elastic, 1)], [5, 5]);
    const [stiff, free] = [await kept(pulled, 6), await kept(elastic, 6)];
    assert.ok(stiff < free && free === 5, `${stiff}, ${free} of 5`);
  });

  test('ewc stops between examples, and refuses what it cannot measure or is of no use', async () => {
    const from = await base();
    const stopped = { ...recordingContext(), signal: AbortSignal.abort() };
    const config = parse({ l2Start: 0.1, ewc: { data: 'old' } });
    await assertNoLeak('an interrupted run', () =>
      assert.rejects(finetune(config, TARGET, from, hooks(), stopped, OLD), { code: 'INTERRUPTED' }),
    );
    await assert.rejects(finetune(config, TARGET, from, hooks(), recordingContext(), TARGET), {
      code: 'CHECKPOINT_INCOMPATIBLE',
      message: /ewc\.data: the checkpoint does not know 3 of the dataset's 13 items/,
    });
    const broken = new Map(
      [...from.inits].map(([name, init]) => [name, { ...init, data: init.data.map(() => NaN) }]),
    );
    await assert.rejects(
      finetune(config, TARGET, { ...from, inits: broken }, hooks(), recordingContext(), OLD),
      {
        code: 'CONFIG_INVALID',
        message: /ewc: squared derivatives have a mean of NaN/,
      },
    );
    assert.throws(() => parse({ ewc: { data: 'old' } }), /needs `l2Start` above 0/);
    assert.throws(
      () => parse({ l2Start: 0.1, ewc: { data: 'old' }, replay: { data: 'old' } }),
      /leave one of them out/,
    );
  });

  test('what does not go with an adapter is refused', () => {
    for (const more of [{ rateDecay: 0.5 }, { unfreeze: 2 }]) parse({ adapter: {}, ...more });
    assert.throws(() => parse({ adapter: {}, l2Start: 0.1 }), /`l2` keeps what is added to them small/);
  });
});
