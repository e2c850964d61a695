import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Batch } from '../../src/compute/step.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { labelOf } from '../../src/training/pair-batches.js';
import { labelSchema, targetsSchema } from '../../src/training/schema.js';
import {
  labellingOf,
  type TaskConfig,
  taskBatches,
  validationLabelBatches,
} from '../../src/training/stage.js';
import { trainRows } from '../../src/training/train-rows.js';
import { onBackend } from '../suites/backends.js';
import { catalogueOf, datasetOf, type Event, randomEvents } from '../suites/fixtures.js';

const CATALOGUE = catalogueOf(5, 12);
const DATASET = datasetOf(CATALOGUE, randomEvents(CATALOGUE, 6, 3, 6));
const MODEL = createModel(modelSchema.parse({ name: 'mlp', width: 4, length: 3, hidden: [4] }), CATALOGUE);

const task = (more: Partial<TaskConfig> & { label?: TaskConfig['label'] } = {}): TaskConfig => ({
  task: 'label',
  loss: 'bce',
  negatives: 2,
  label: labelSchema.parse({ negatives: 2 }),
  targets: targetsSchema.parse({}),
  masking: 0.5,
  batchSize: 7,
  seed: 3,
  ...more,
});

interface Example {
  user: number;
  history: number[];
  target: number;
  label: number | undefined;
}

function examples(batches: readonly Batch[]): Example[] {
  return batches.flatMap(({ users, items, targets, labels, positions }) =>
    Array.from(users!.data, (user, row) => {
      const steps = items!.shape[1]!;
      assert.equal(positions!.data[row], (row + 1) * steps - 1, 'the last position');
      const history = [...items!.data.slice(row * steps, (row + 1) * steps)].filter((i) => i > 0);
      return { user, history, target: targets!.data[row]!, label: labels?.data[row] };
    }),
  );
}

const epochOf = (config: TaskConfig, epoch: number): Example[] => {
  const { batches } = taskBatches(MODEL, DATASET, config);
  return examples(Array.from({ length: batches.batchesPerEpoch }, (_, i) => batches.batch(epoch, i)));
};

/** Train rows of the dataset as (user, the three rows before, item). */
const EXPECTED = Array.from({ length: 5 }, (_, u) => u + 1).flatMap((user) => {
  const { item, offsets, split } = DATASET.interactions;
  const rows: number[] = [];
  for (let r = offsets[user]!; r < offsets[user + 1]!; r++) if (split[r] === 0) rows.push(item[r]!);
  return rows.map((target, k) => ({ user, history: rows.slice(Math.max(0, k - 3), k), target }));
});

const key = ({ user, history, target }: Omit<Example, 'label'>): string => `${user}: ${history} → ${target}`;

onBackend('cpu', 'pair batches', () => {
  test('next item: every target row once an epoch, with the events before it', () => {
    for (const epoch of [0, 1]) {
      const found = epochOf(task({ task: 'next-item', loss: 'softmax' }), epoch);
      assert.deepEqual(found.map(key).sort(), EXPECTED.map(key).sort());
    }
    assert.notDeepEqual(
      epochOf(task({ task: 'next-item', loss: 'softmax' }), 0),
      epochOf(task({ task: 'next-item', loss: 'softmax' }), 1),
    );
  });

  test('label: each pair with its negatives, which are redrawn each epoch and never the user’s own', () => {
    const own = new Map<number, Set<number>>();
    for (const { user, target } of EXPECTED) own.set(user, (own.get(user) ?? new Set()).add(target));
    const drawn = [0, 1].map((epoch) => {
      const found = epochOf(task(), epoch);
      assert.deepEqual(
        found
          .filter((e) => e.label === 1)
          .map(key)
          .sort(),
        EXPECTED.map(key).sort(),
      );
      const negatives = found.filter((e) => e.label === 0);
      assert.equal(negatives.length, 2 * EXPECTED.length);
      for (const { user, target } of negatives) {
        assert.ok(target >= 1 && target <= 12);
        assert.ok(!own.get(user)!.has(target), `item ${target} is user ${user}'s own`);
      }
      const histories = (list: readonly Omit<Example, 'label'>[]) =>
        list.map(({ user, history }) => `${user}: ${history}`);
      const twice = [...histories(EXPECTED), ...histories(EXPECTED)].sort();
      assert.deepEqual(histories(negatives).sort(), twice, 'beside the histories of their pairs');
      return negatives.map((e) => `${key(e)}`).sort();
    });
    assert.notDeepEqual(drawn[0], drawn[1]);
  });

  test('the negatives of a user are uniform over the items left, and other ones each epoch', () => {
    const events: Event[] = Array.from({ length: 600 }, (_, k) => ({ user: 1, item: 1 + (k % 6) }));
    const one = datasetOf(catalogueOf(1, 12), events);
    const { batches } = taskBatches(MODEL, one, task({ batchSize: 5000 }));
    const counts = [0, 1].map((epoch) => {
      const of = new Array<number>(13).fill(0);
      for (const { target, label } of examples([batches.batch(epoch, 0)])) if (label === 0) of[target]!++;
      return of;
    });
    // 1,200 draws over items 7 … 12: 200 each, deviation 13.
    for (let item = 7; item <= 12; item++) assert.ok(Math.abs(counts[0]![item]! - 200) < 65, `${counts[0]}`);
    assert.notDeepEqual(counts[0], counts[1]);
  });

  test('a user who has nearly everything gets the items left', () => {
    const catalogue = catalogueOf(1, 40);
    const events: Event[] = Array.from({ length: 39 }, (_, k) => ({ user: 1, item: k + 1 }));
    const { batches } = taskBatches(MODEL, datasetOf(catalogue, events), task({ batchSize: 200 }));
    const negatives = examples([batches.batch(0, 0)]).filter((e) => e.label === 0);
    assert.deepEqual(new Set(negatives.map((e) => e.target)), new Set([40]));
  });

  test('any batch can be made without the ones before it', () => {
    const { batches } = taskBatches(MODEL, DATASET, task());
    const last = batches.batchesPerEpoch - 1;
    assert.ok(last > 0);
    const expected = batches.batch(1, last);
    assert.deepEqual(taskBatches(MODEL, DATASET, task()).batches.batch(1, last), expected);
  });

  test('labels: 1 from the threshold on, the value for mse, 1 where there is neither', () => {
    const label = (value: number, minimumValue: number | undefined, regression = false): number =>
      labelOf(value, { minimumValue, regression, negatives: 0 });
    assert.deepEqual([label(4, 4), label(3.9, 4), label(Number.NaN, 4), label(3, undefined)], [1, 0, 0, 1]);
    assert.equal(label(3.5, undefined, true), 3.5);
    const rated = epochOf(task({ loss: 'mse', label: labelSchema.parse({}) }), 0);
    const values = [...DATASET.interactions.value].filter((_, r) => DATASET.interactions.split[r] === 0);
    assert.deepEqual(rated.map((e) => e.label).sort(), values.sort());
  });

  test('validation pairs carry all train rows of their user as history, and their own labels', () => {
    const long = createModel(modelSchema.parse({ name: 'mlp', width: 4, length: 9, hidden: [4] }), CATALOGUE);
    const config = task({ label: labelSchema.parse({ minimumValue: 4 }) });
    const rows = trainRows(DATASET, config.targets);
    const found = examples(validationLabelBatches(long, DATASET, rows, config));
    assert.equal(found.length, 5);
    const { interactions } = DATASET;
    for (const { user, history, target, label } of found) {
      assert.deepEqual(
        history,
        EXPECTED.filter((e) => e.user === user).map((e) => e.target),
      );
      const last = interactions.offsets[user + 1]! - 1;
      assert.deepEqual([target, label], [interactions.item[last], interactions.value[last]! >= 4 ? 1 : 0]);
    }
  });

  test('labels that cannot be made are refused', () => {
    const rows = trainRows(DATASET, targetsSchema.parse({}));
    const refuse = (more: Partial<TaskConfig>, message: RegExp): void =>
      assert.throws(() => labellingOf(task(more), rows), { code: 'CONFIG_INVALID', message });
    refuse({ label: labelSchema.parse({}) }, /every label is 1/);
    refuse({ loss: 'mse', label: labelSchema.parse({ negatives: 1 }) }, /mse/);
    const unrated = trainRows(datasetOf(CATALOGUE, [{ user: 1, item: 1 }]), targetsSchema.parse({}));
    assert.throws(() => labellingOf(task({ label: labelSchema.parse({ minimumValue: 3 }) }), unrated), {
      code: 'DATA_EMPTY',
    });
    assert.throws(() => taskBatches(MODEL, DATASET, task({ loss: 'softmax' })), {
      code: 'CONFIG_INVALID',
      message: /"softmax" cannot train the task "label" \(bce, mse can\)/,
    });
    assert.throws(() => taskBatches(MODEL, DATASET, task({ task: 'next-item', loss: 'mse' })), {
      code: 'CONFIG_INVALID',
      message: /softmax, sampled-softmax, bce, gbce can/,
    });
    const both = createModel(modelSchema.parse({ name: 'transformer', direction: 'both' }), CATALOGUE);
    const baskets = { task: 'next-item', loss: 'softmax', targets: { baskets: true } } as const;
    assert.throws(() => taskBatches(both, DATASET, task(baskets)), {
      code: 'CONFIG_INVALID',
      message: /^targets.baskets/,
    });
  });
});
