import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParameterStore } from '../../src/compute/parameters.js';
import type { Batch, CompiledStep } from '../../src/compute/step.js';
import { feedOf } from '../../src/training/feed.js';
import { type FitOptions, fit } from '../../src/training/fit.js';
import type { Row, Snapshot } from '../../src/training/progress.js';
import { onBackend } from '../suites/backends.js';
import { recordingContext } from '../suites/fixtures.js';

/** A step that counts: the parameter `w` becomes the number of steps taken, its average the negative of that, and the loss is what the script says. */
function countingStep(store: ParameterStore, losses: (step: number) => number = () => 1, averages = false) {
  const runs: { micro: number; rate: number }[] = [];
  const self = () => step as { count: number };
  const step: CompiledStep = {
    count: 0,
    prepare: () => 0,
    async run(micro, rate) {
      self().count++;
      runs.push({ micro: micro.length, rate });
      store.load(new Map([['w', { dtype: 'F32', shape: [1], data: Float32Array.of(step.count) }]]));
      return { loss: losses(step.count), gradientNorm: step.count === 99 ? Number.NaN : 1 };
    },
    evaluate: async () => 0,
    async averaged(work) {
      if (!averages) return work();
      const held = await store.export();
      store.load(new Map([['w', { dtype: 'F32', shape: [1], data: Float32Array.of(-self().count) }]]));
      return work().finally(() => store.load(held));
    },
    export: async () => new Map([['step', { dtype: 'I32', shape: [1], data: Int32Array.of(step.count) }]]),
    load(state) {
      self().count = state.get('step')!.data[0]!;
    },
    dispose() {},
  };
  return { step, runs };
}

interface Script {
  readonly epochs?: number;
  readonly batches?: number;
  readonly accumulate?: number;
  /** Validation values, one an epoch. */
  readonly values?: readonly number[];
  /** Name of the validation metric; default `score`. */
  readonly computed?: string;
  readonly watch?: Partial<FitOptions['watch']>;
  readonly everySteps?: number;
  /** The step keeps averages. */
  readonly averages?: boolean;
  readonly losses?: (step: number) => number;
  readonly resumeFrom?: Snapshot;
  readonly stopAtStep?: number;
  readonly learningRate?: FitOptions['learningRate'];
}

async function play(script: Script) {
  const store = new ParameterStore(new Map([['w', { shape: [1], data: Float32Array.of(0), table: false }]]));
  const { step, runs } = countingStep(store, script.losses, script.averages);
  const context = recordingContext();
  const snapshots: Snapshot[] = [];
  const rows: Row[] = [];
  const made: string[] = [];
  const validated: number[] = [];
  const values = script.values ?? [];
  const options: FitOptions = {
    name: 'test',
    step,
    store,
    batches: feedOf({
      batchesPerEpoch: script.batches ?? 3,
      batch: (epoch, index) => {
        made.push(`${epoch}.${index}`);
        if (step.count + 1 === script.stopAtStep) context.stop();
        return {} as Batch;
      },
    }),
    epochs: script.epochs ?? values.length,
    accumulate: script.accumulate ?? 1,
    learningRate: script.learningRate ?? (() => 0.1),
    validate: async () => {
      validated.push(store.whole('w').dataSync()[0]!);
      return { [script.computed ?? 'score']: values[rows.length] ?? 0 };
    },
    watch: { metric: 'score', every: 1, patience: 2, ...script.watch },
    snapshots: { everySteps: script.everySteps ?? 1000, save: async (s) => void snapshots.push(s) },
    resumeFrom: script.resumeFrom,
    onEpoch: (row) => void rows.push(row),
  };
  const outcome = await fit(options, context).then(
    (result) => ({ result, error: undefined }),
    (error: Error) => ({ result: undefined, error }),
  );
  store.dispose();
  const best = outcome.result?.best.get('w')?.data[0];
  return { ...outcome, best, runs, rows, snapshots, made, validated, context };
}

onBackend('cpu', 'the training loop', () => {
  test('keeps the best epoch’s parameters and stops after `patience` validations without a better one', async () => {
    const { result, best, rows, context } = await play({ values: [1, 3, 3, 2, 9, 9] });
    assert.equal(best, 6, 'two epochs of three steps');
    assert.equal(result!.bestRow.epoch, 2);
    assert.deepEqual(
      rows.map((r) => [r.epoch, r.step, r.score]),
      [
        [1, 3, 1],
        [2, 6, 3],
        [3, 9, 3],
        [4, 12, 2],
      ],
    );
    assert.ok(context.lines.some((l) => /stopped early.*since epoch 2/.test(l)));
    assert.equal(result!.last.tensors.get('w')!.data[0], 12, 'the last ones are there too');
    assert.equal(result!.last.tensors.get('best/w')!.data[0], 6);
  });

  test('patience counts from the last improvement; 0 never stops', async () => {
    assert.equal((await play({ values: [1, 0, 2, 1, 3] })).best, 15);
    const patient = await play({ values: [9, 1, 1, 1, 1], watch: { patience: 0 } });
    assert.deepEqual([patient.rows.length, patient.best], [5, 3]);
    assert.equal((await play({ values: [Number.NaN, 2, 1, 0] })).best, 6, 'any number is better than none');
  });

  test('a loss or an error is better when it is lower', async () => {
    const values = [3, 1, 2];
    for (const [metric, expected] of [
      ['validation_loss', 6],
      ['rmse', 6],
      ['ndcg@10', 3],
      ['map@10', 3],
    ] as const) {
      assert.equal(
        (await play({ values, computed: metric, watch: { metric, patience: 0 } })).best,
        expected,
        metric,
      );
    }
  });

  test('validates every n epochs and always after the last', async () => {
    const { rows } = await play({ values: [1, 2, 3, 4, 5], watch: { every: 2, patience: 0 } });
    assert.deepEqual(
      rows.map((r) => 'score' in r),
      [false, true, false, true, true],
    );
  });

  test('an unknown metric is refused with those there are', async () => {
    const { error } = await play({ values: [1], watch: { metric: 'scroe' } });
    assert.match(error!.message, /"scroe".*epoch, step, loss, learningRate, score/);
    assert.equal((error as { code?: string }).code, 'CONFIG_INVALID');
  });

  test('accumulation takes batches in groups, the last one smaller; the schedule counts steps', async () => {
    const rates: [number, number][] = [];
    const learningRate = (step: number, total: number): number => {
      rates.push([step, total]);
      return step;
    };
    const { runs, made } = await play({ epochs: 2, batches: 5, accumulate: 2, learningRate });
    assert.deepEqual(
      runs.map((r) => r.micro),
      [2, 2, 1, 2, 2, 1],
    );
    assert.deepEqual(
      runs.map((r) => r.rate),
      [1, 2, 3, 4, 5, 6],
    );
    assert.ok(rates.every(([, total]) => total === 6));
    assert.deepEqual(made, ['0.0', '0.1', '0.2', '0.3', '0.4', '1.0', '1.1', '1.2', '1.3', '1.4']);
  });

  test('the epoch’s loss is the mean of its steps’', async () => {
    const { rows, context } = await play({ epochs: 2, losses: (n) => n });
    assert.deepEqual(
      rows.map((r) => r.loss),
      [2, 5],
    );
    assert.deepEqual(context.done, [1, 2, 3, 4, 5, 6]);
  });

  test('a loss or a gradient that is not finite ends the run as DIVERGED, before it is snapshotted', async () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const { error, snapshots } = await play({
        epochs: 2,
        everySteps: 1,
        losses: (n) => (n === 4 ? bad : 1),
      });
      assert.equal((error as { code?: string }).code, 'DIVERGED');
      assert.match(error!.message, /step 4.*0\.1/);
      assert.equal(snapshots.length, 3);
    }
    const { error, snapshots } = await play({ epochs: 1, batches: 120, everySteps: 49 });
    assert.match(error!.message, /gradient.*NaN.*step 99/);
    assert.equal(snapshots.length, 2);
  });

  test('once asked to stop it saves a snapshot and throws INTERRUPTED; from there it goes on', async () => {
    const values = [1, 5, 2, 3];
    const whole = await play({ values });
    for (const stopAtStep of [1, 3, 4, 8]) {
      const first = await play({ values, stopAtStep });
      assert.equal((first.error as { code?: string }).code, 'INTERRUPTED');
      assert.equal(first.snapshots.length, 1);
      const [resumeFrom] = first.snapshots;
      const second = await play({
        values: values.slice(first.rows.length),
        epochs: 4,
        resumeFrom: resumeFrom!,
      });
      assert.deepEqual(second.result!.history, whole.result!.history, `stopped at ${stopAtStep}`);
      assert.equal(second.best, whole.best);
      assert.equal(first.runs.length + second.runs.length, whole.runs.length);
    }
  });

  test('averages are validated and kept as the best; snapshots and steps go on from the weights', async () => {
    const { best, validated, snapshots, result } = await play({
      values: [1, 3, 2],
      averages: true,
      everySteps: 4,
    });
    assert.deepEqual([best, validated], [-6, [-3, -6, -9]]);
    assert.deepEqual(
      snapshots.map((s) => s.tensors.get('w')!.data[0]),
      [4, 8],
    );
    assert.equal(snapshots[1]!.tensors.get('best/w')!.data[0], -6);
    assert.equal(result!.last.tensors.get('w')!.data[0], 9);
  });

  test('a snapshot is not changed by the steps after it', async () => {
    const { snapshots } = await play({ values: [1, 2, 3], everySteps: 2 });
    assert.deepEqual(
      snapshots.map((s) => s.tensors.get('w')!.data[0]),
      [2, 4, 6, 8],
    );
    assert.deepEqual(
      snapshots.map((s) => (s.progress as { epoch: number }).epoch),
      [0, 1, 1, 2],
    );
    assert.deepEqual(
      snapshots.map((s) => (s.progress as { history: Row[] }).history.length),
      [0, 1, 1, 2],
    );
  });

  test('a snapshot whose progress is no progress is refused', async () => {
    const { snapshots } = await play({ values: [1], everySteps: 1 });
    const { error } = await play({
      values: [1],
      resumeFrom: { ...snapshots[0]!, progress: { epoch: 'one' } },
    });
    assert.equal((error as { code?: string }).code, 'CHECKPOINT_DAMAGED');
  });
});
