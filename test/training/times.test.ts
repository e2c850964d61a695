import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Batch } from '../../src/compute/step.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { restoreModel } from '../../src/model/restore.js';
import { distillSchema } from '../../src/training/distill/schema.js';
import { distill } from '../../src/training/distill.js';
import { pretrain, pretrainSchema } from '../../src/training/pretrain.js';
import { labelSchema } from '../../src/training/schema.js';
import { type StageHooks, taskBatches } from '../../src/training/stage.js';
import { onBackend } from '../suites/backends.js';
import { catalogueOf, datasetOf, type Event, randomEvents, recordingContext } from '../suites/fixtures.js';
import { taskOf } from '../suites/gradients.js';

const CATALOGUE = catalogueOf(6, 12);
const PLAIN = { name: 'transformer', width: 4, depth: 1, heads: 1, length: 4, dropout: 0 };
const TIMED = { ...PLAIN, relativeTime: true };
const HOOKS: StageHooks = { saveSnapshot: async () => {}, onEpoch() {} };

/** All batches of an epoch, of a model with this config. */
function batchesOf(config: object, events: readonly Event[], label = false): Batch[] {
  const model = createModel(modelSchema.parse(config), CATALOGUE);
  const task = label
    ? taskOf('bce', 'label', { label: labelSchema.parse({ minimumValue: 3 }) })
    : taskOf('softmax', 'next-item');
  const { batches } = taskBatches(model, datasetOf(CATALOGUE, events, 'epoch'), task);
  return Array.from({ length: batches.batchesPerEpoch }, (_, i) => batches.batch(0, i));
}

/** One user: the events of the last window, and a validation row. */
const eventsOf = (...times: number[]): Event[] =>
  times.map((time, n) => ({
    user: 1,
    item: n + 1,
    value: 4,
    time,
    split: n < times.length - 1 ? 'train' : 'validation',
  }));

onBackend('cpu', 'times in training', () => {
  test('are those of the input events, before the newest of them; the targets’ are not among them', () => {
    const [batch] = batchesOf(TIMED, eventsOf(10_000, 70_000, 71_500, 99_000, 100_000));
    // Three inputs, the fourth event is only a target.
    assert.deepEqual([...batch!.items!.data], [0, 1, 2, 3]);
    assert.deepEqual(batch!.times, { dtype: 'I32', shape: [1, 4], data: Int32Array.of(0, -61, -1, 0) });
    const [later] = batchesOf(TIMED, eventsOf(10_000, 70_000, 71_500, 5e11, 6e11));
    assert.deepEqual(later, batch, 'when the event to be predicted came changes nothing');
  });

  test('pairs have the times of their histories alone', () => {
    const rows = batchesOf(TIMED, eventsOf(10_000, 70_000, 71_500, 99_000, 100_000), true).flatMap((batch) =>
      Array.from({ length: batch.items!.shape[0]! }, (_, row) => {
        const of = (name: string): number[] => [...batch[name]!.data.slice(4 * row, 4 * row + 4)];
        return [of('items'), of('times')];
      }),
    );
    const byItems = (a: number[][], b: number[][]): number => `${a[0]}`.localeCompare(`${b[0]}`);
    assert.deepEqual(rows.sort(byItems), [
      [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
      ],
      [
        [0, 0, 0, 1],
        [0, 0, 0, 0],
      ],
      [
        [0, 0, 1, 2],
        [0, 0, -60, 0],
      ],
      [
        [0, 1, 2, 3],
        [0, -61, -1, 0],
      ],
    ]);
  });

  test('a model that does not ask is not fed any', () => {
    for (const batch of batchesOf(PLAIN, randomEvents(CATALOGUE, 3))) assert.ok(!('times' in batch));
  });

  test('a dataset that knows only the order is refused, by the key and with a remedy', async () => {
    const config = pretrainSchema.parse({ data: 'x', model: TIMED });
    const ordered = datasetOf(CATALOGUE, randomEvents(CATALOGUE, 3));
    await assert.rejects(pretrain(config, ordered, undefined, HOOKS, recordingContext()), {
      code: 'DATA_EMPTY',
      message: /^model\.relativeTime: .*made-up has none/,
      remedy: /`time` column/,
    });
  });

  test('teacher and student may read times, both or one of them; validation feeds them', async (t) => {
    const dataset = datasetOf(CATALOGUE, randomEvents(CATALOGUE, 3), 'epoch');
    for (const [teacherConfig, student] of [
      [TIMED, PLAIN],
      [PLAIN, TIMED],
      [TIMED, TIMED],
    ]) {
      const pretraining = pretrainSchema.parse({ data: 'x', model: teacherConfig, epochs: 1 });
      const { config, catalogue, tensors } = await pretrain(
        pretraining,
        dataset,
        undefined,
        HOOKS,
        recordingContext(),
      );
      const teacher = restoreModel({ path: 'x', manifest: { model: { config } }, catalogue, tensors });
      const folder = mkdtempSync(join(tmpdir(), 'recsys-times-'));
      t.after(() => rmSync(folder, { recursive: true, force: true }));
      const distilling = distillSchema.parse({ data: 'x', teacher: 'y', student, epochs: 1 });
      const { fit } = await distill(
        distilling,
        dataset,
        { teacher },
        { ...HOOKS, folder },
        recordingContext(),
      );
      assert.ok(Number.isFinite(fit.bestRow['ndcg@10']));
    }
  });
});
