import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Batch } from '../../src/compute/step.js';
import { Random } from '../../src/random.js';
import { type BatchSource, distinctShapes } from '../../src/training/batches.js';
import { drawNegatives } from '../../src/training/negatives.js';
import { trainPairs } from '../../src/training/pair-batches.js';
import { targetsSchema } from '../../src/training/schema.js';
import { maskedBatches, sequenceBatches } from '../../src/training/sequence-batches.js';
import { trainRows } from '../../src/training/train-rows.js';
import { catalogueOf, datasetOf, type Event, randomEvents } from '../suites/fixtures.js';

const NONE = { need: [], count: 0, items: 30 };
const shape = (batch: Batch, name: string): readonly number[] => batch[name]!.shape;

/** Users with unlike numbers of train rows, whose items name (user, place): 100 · user + place. */
function numbered(lengths: readonly number[]) {
  const catalogue = catalogueOf(lengths.length, 100 * (lengths.length + 1));
  const events: Event[] = lengths.flatMap((n, u) =>
    Array.from({ length: n }, (_, k) => ({ user: u + 1, item: 100 * (u + 1) + k, behaviour: k % 2 })),
  );
  return datasetOf(catalogue, events);
}

const options = (length: number, batchSize: number, fixedShapes = false) => ({
  length,
  batchSize,
  seed: 1,
  negatives: NONE,
  fixedShapes,
});

const allOf = (source: BatchSource, epoch: number): Batch[] =>
  Array.from({ length: source.batchesPerEpoch }, (_, i) => source.batch(epoch, i));

describe('sequence batches', () => {
  const lengths = fc
    .array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 6 })
    .filter((l) => l.some((n) => n >= 1));

  test('over an epoch every row is a target once, after its own predecessor or, if it is the first, after nothing', () => {
    fc.assert(
      fc.property(
        lengths,
        fc.integer({ min: 2, max: 12 }),
        fc.integer({ min: 1, max: 5 }),
        fc.nat({ max: 3 }),
        fc.boolean(),
        (users, length, batchSize, epoch, fixedShapes) => {
          const rows = trainRows(numbered(users), targetsSchema.parse({}));
          const seen = new Map<number, number>();
          for (const batch of allOf(sequenceBatches(rows, options(length, batchSize, fixedShapes)), epoch)) {
            const [size, steps] = shape(batch, 'items') as [number, number];
            assert.ok(steps <= length && size <= batchSize);
            const { items, behaviours, users: who, positions, targets, weights } = batch;
            positions!.data.forEach((p, i) => {
              const target = targets!.data[i]!;
              if (weights!.data[i] === 0) {
                assert.deepEqual([p, target], [0, 0], 'padding');
                return;
              }
              assert.equal(weights!.data[i], 1);
              if (target % 100 === 0) {
                assert.equal(items!.data[p], 0, 'nothing before the first event');
                if ((p + 1) % steps !== 0) assert.equal(items!.data[p + 1], target, 'right before it');
              } else assert.equal(items!.data[p], target - 1, 'the event before the target');
              assert.equal(who!.data[Math.floor(p / steps)], Math.floor(target / 100), 'of the same user');
              seen.set(target, (seen.get(target) ?? 0) + 1);
            });
            for (let row = 0; row < size; row++) {
              const line = items!.data.slice(row * steps, (row + 1) * steps);
              const start = line.findIndex((v) => v !== 0);
              line.forEach((item, t) => {
                const behaviour = behaviours!.data[row * steps + t];
                assert.equal(behaviour, item === 0 ? 0 : 1 + ((item % 100) % 2));
                if (start < 0 || t < start) assert.equal(item, 0, 'padding on the left');
                else assert.equal(item, line[start]! + t - start, 'in order, without holes');
              });
            }
          }
          const expected = users.flatMap((n, u) => Array.from({ length: n }, (_, k) => 100 * (u + 1) + k));
          assert.deepEqual(
            [...seen.keys()].sort((a, b) => a - b),
            expected,
          );
          assert.ok([...seen.values()].every((n) => n === 1));
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a batch’s weight is its number of targets over that of an average batch', () => {
    const rows = trainRows(numbered([9, 30, 2, 17, 5, 40, 1]), targetsSchema.parse({}));
    for (const fixedShapes of [false, true]) {
      const source = sequenceBatches(rows, options(8, 2, fixedShapes));
      const average = (9 + 30 + 2 + 17 + 5 + 40 + 1) / source.batchesPerEpoch;
      for (const { weights, batchWeight } of allOf(source, 1)) {
        const targets = [...weights!.data].reduce((sum, w) => sum + w, 0);
        assert.equal(batchWeight!.data[0], Math.fround(targets / average));
      }
    }
  });

  test('any batch can be made without the ones before it', () => {
    const rows = trainRows(numbered([9, 30, 2, 17, 5]), targetsSchema.parse({}));
    const negatives = { need: ['ownNegatives' as const], count: 2, items: 30 };
    const make = () => sequenceBatches(rows, { ...options(6, 2), negatives });
    const source = make();
    for (const epoch of [0, 1]) {
      for (const [i, batch] of allOf(source, epoch).entries())
        assert.deepEqual(make().batch(epoch, i), batch);
    }
    assert.notDeepEqual(allOf(source, 0), allOf(source, 1), 'epochs differ');
    assert.deepEqual(make().batch(0, 0), source.batch(0, 0), 'and going back gives the first again');
  });

  test('fixed shapes: whole batches of few lengths, the rest padding of weight 0', () => {
    const rows = trainRows(numbered([9, 30, 2, 17, 5, 3, 25]), targetsSchema.parse({}));
    const source = sequenceBatches(rows, options(8, 4, true));
    for (const epoch of [0, 1, 2]) {
      for (const batch of allOf(source, epoch)) {
        assert.equal(shape(batch, 'users')[0], 4);
        assert.ok([2, 4, 6, 8].includes(shape(batch, 'items')[1]!));
      }
    }
    const keys = new Set(
      allOf(source, 0).map((b) =>
        Object.values(b)
          .map((t) => t.shape.join())
          .join(' '),
      ),
    );
    assert.equal(distinctShapes(source).length, keys.size);
  });

  test('masked batches: every row is an input once; the targets are the hidden ones, about the share asked for, at least one a window', () => {
    const users = [9, 30, 2, 17, 5, 40, 1, 25];
    const total = users.reduce((a, b) => a + b);
    const rows = trainRows(numbered(users), targetsSchema.parse({}));
    for (const rate of [0.05, 0.4, 1]) {
      let hidden = 0;
      let batchWeights = 0;
      for (const epoch of [0, 1, 2, 3]) {
        const inputs: number[] = [];
        for (const batch of allOf(maskedBatches(rows, options(8, 3, epoch > 1), rate), epoch)) {
          const { items, masked, positions, targets, weights } = batch;
          const [size, steps] = shape(batch, 'items') as [number, number];
          assert.deepEqual(shape(batch, 'masked'), [size, steps]);
          inputs.push(...[...items!.data].filter((item) => item > 0));
          const asked = [...positions!.data].filter((_, i) => weights!.data[i]! > 0);
          assert.deepEqual(
            asked.map((p) => items!.data[p]),
            [...targets!.data].slice(0, asked.length),
          );
          const marks = [...masked!.data].flatMap((m, p) => (m === 1 ? [p] : []));
          assert.deepEqual(
            [...asked].sort((a, b) => a - b),
            marks,
          );
          for (let row = 0; row < size; row++) {
            const within = (from: ArrayLike<number>): number[] =>
              Array.from(from).slice(row * steps, (row + 1) * steps);
            const events = within(items!.data).filter((item) => item > 0).length;
            const count = within(masked!.data).reduce((a, b) => a + b);
            assert.ok(events === 0 ? count === 0 : count >= 1);
          }
          hidden += asked.length;
          batchWeights += batch.batchWeight!.data[0]!;
        }
        assert.deepEqual(
          inputs.sort((a, b) => a - b),
          users.flatMap((n, u) => Array.from({ length: n }, (_, k) => 100 * (u + 1) + k)),
        );
      }
      const found = hidden / (4 * total);
      assert.ok(rate === 1 ? found === 1 : Math.abs(found - rate) < 0.15, `${found} hidden of ${rate}`);
      // Few and short windows: the mean of the weights is 1 up to chance.
      const batches = 4 * allOf(maskedBatches(rows, options(8, 3), rate), 0).length;
      assert.ok(
        Math.abs(batchWeights / batches - 1) < (rate === 1 ? 1e-5 : 0.25),
        `mean weight ${batchWeights / batches}`,
      );
    }
    const source = maskedBatches(rows, options(8, 3), 0.4);
    assert.deepEqual(source.batch(1, 2), maskedBatches(rows, options(8, 3), 0.4).batch(1, 2));
    assert.notDeepEqual(source.batch(1, 2).masked, source.batch(2, 2).masked);
  });

  test('only events of the behaviours, values and recency asked for are targets; all stay inputs', () => {
    const catalogue = catalogueOf(2, 9);
    const event = (user: number, item: number, behaviour: number, value: number): Event => ({
      user,
      item,
      behaviour,
      value,
    });
    const dataset = datasetOf(catalogue, [
      event(1, 1, 0, 5),
      event(1, 2, 1, 5),
      event(1, 3, 0, 2),
      event(1, 4, 1, 2),
      event(1, 5, 1, 4),
      event(2, 6, 1, 5),
      event(2, 7, 0, 5),
    ]);
    const targetsOf = (targets: object): number[] => {
      const batch = sequenceBatches(trainRows(dataset, targetsSchema.parse(targets)), options(8, 4)).batch(
        0,
        0,
      );
      return [...batch.targets!.data].filter((t) => t > 0).sort();
    };
    assert.deepEqual(targetsOf({}), [1, 2, 3, 4, 5, 6, 7]);
    assert.deepEqual(targetsOf({ behaviours: ['buy'] }), [2, 4, 5, 6]);
    assert.deepEqual(targetsOf({ minimumValue: 4 }), [1, 2, 5, 6, 7]);
    assert.deepEqual(targetsOf({ recent: 1 }), [5, 7]);
    const { items } = sequenceBatches(
      trainRows(dataset, targetsSchema.parse({ behaviours: ['buy'] })),
      options(8, 4),
    ).batch(0, 0);
    assert.deepEqual([...items!.data].filter((i) => i > 0).sort(), [1, 2, 3, 4, 6]);
  });

  test('a basket is predicted from what came before all of it', () => {
    const at = (user: number, item: number, time: number): Event => ({ user, item, time });
    const events = [
      at(1, 1, 5),
      at(1, 2, 5),
      at(1, 3, 7),
      at(1, 4, 7),
      at(1, 5, 7),
      at(2, 6, 7),
      at(2, 7, 8),
    ];
    const rows = trainRows(
      datasetOf(catalogueOf(2, 7), events, 'epoch'),
      targetsSchema.parse({ baskets: true }),
    );
    assert.deepEqual([...rows.begins!], [0, 0, 2, 2, 2, 5, 6]);
    const before = (length: number): Record<number, number[]> => {
      const found: Record<number, number[]> = {};
      const { items, positions, targets } = sequenceBatches(rows, options(length, 9)).batch(0, 0);
      const steps = items!.shape[1]!;
      targets!.data.forEach((target, i) => {
        const at = positions!.data[i]!;
        const line = Math.floor(at / steps) * steps;
        if (target > 0) found[target] = [...items!.data.subarray(line, at + 1)].filter((item) => item > 0);
      });
      return found;
    };
    const whole = { 1: [], 2: [], 3: [1, 2], 4: [1, 2], 5: [1, 2], 6: [], 7: [6] };
    assert.deepEqual(before(8), whole);
    // The others' baskets begin in an earlier window than they are in.
    assert.deepEqual(before(2), { 1: [], 3: [1, 2], 6: [], 7: [6] });
    assert.deepEqual(
      [...trainPairs(rows).end].map((end, p) => end - trainPairs(rows).start[p]!),
      [0, 0, 2, 2, 2, 0, 1],
    );
  });

  test('baskets need times', () => {
    assert.throws(() => trainRows(numbered([3]), targetsSchema.parse({ baskets: true })), {
      code: 'DATA_EMPTY',
      message: /targets\.baskets/,
    });
  });

  test('a behaviour’s weight is its targets’ weight', () => {
    const dataset = datasetOf(catalogueOf(1, 5), [
      { user: 1, item: 1 },
      { user: 1, item: 2, behaviour: 1 },
      { user: 1, item: 3 },
    ]);
    const behaviours = [
      { name: 'view', weight: 0.25 },
      { name: 'buy', weight: 2 },
    ];
    const weighted = { ...dataset, manifest: { ...dataset.manifest, behaviours } };
    const batch = sequenceBatches(trainRows(weighted, targetsSchema.parse({})), options(4, 1)).batch(0, 0);
    assert.deepEqual([...batch.weights!.data].slice(0, 4), [0.25, 2, 0.25, 0]);
  });

  test('held-out rows are neither inputs nor targets', () => {
    const catalogue = catalogueOf(4, 20);
    const dataset = datasetOf(catalogue, randomEvents(catalogue, 8));
    const rows = trainRows(dataset, targetsSchema.parse({}));
    assert.equal(rows.item.length, dataset.manifest.counts.train);
    const { interactions } = dataset;
    const train = [...interactions.item].filter((_, r) => interactions.split[r] === 0);
    assert.deepEqual([...rows.item], train);
  });

  test('nothing to predict is an error, not an empty run', () => {
    assert.throws(() => trainRows(numbered([3]), targetsSchema.parse({ minimumValue: 4 })), {
      code: 'DATA_EMPTY',
    });
    assert.throws(() => trainRows(numbered([3]), targetsSchema.parse({ behaviours: ['rent'] })), {
      code: 'CONFIG_INVALID',
      message: /"rent".*view, buy/,
    });
  });
});

describe('drawn negatives', () => {
  test('own ones are uniform over the other items', () => {
    const target = 3;
    const targets = new Int32Array(6000).fill(target);
    const drawn = drawNegatives(targets, { need: ['ownNegatives'], count: 2, items: 5 }, Random.of(1, 'n'));
    assert.deepEqual(drawn.negatives!.shape, [6000, 2]);
    const counts = [0, 0, 0, 0, 0, 0];
    for (const item of drawn.negatives!.data) counts[item]!++;
    assert.deepEqual([counts[0], counts[target]], [0, 0]);
    // 12,000 draws over four items: 3,000 each, deviation 47.
    for (const item of [1, 2, 4, 5])
      assert.ok(Math.abs(counts[item]! - 3000) < 250, `item ${item}: ${counts[item]}`);
  });

  test('shared ones come with log(V / K), and no more than there are items', () => {
    const drawn = drawNegatives(
      new Int32Array(3),
      { need: ['sharedNegatives'], count: 4, items: 20 },
      Random.of(1, 'n'),
    );
    assert.equal(drawn.negatives!.data.length, 4);
    assert.ok([...drawn.negatives!.data].every((i) => i >= 1 && i <= 20));
    assert.ok(Math.abs(drawn.logSampling!.data[0]! - Math.log(5)) < 1e-6);
    const few = drawNegatives(
      new Int32Array(3),
      { need: ['sharedNegatives'], count: 99, items: 3 },
      Random.of(1, 'n'),
    );
    assert.deepEqual([few.negatives!.data.length, few.logSampling!.data[0]], [3, 0]);
  });

  test('a catalogue of one item gives valid indices', () => {
    const drawn = drawNegatives(
      Int32Array.of(1, 0),
      { need: ['ownNegatives'], count: 2, items: 1 },
      Random.of(1, 'n'),
    );
    assert.deepEqual([...drawn.negatives!.data], [1, 1, 1, 1]);
  });
});

test('shapes of batches that are read from a file are found without reading: each is read once', () => {
  const batches = sequenceBatches(
    trainRows(numbered([3, 9, 30, 2, 17, 4, 5, 3, 18, 8]), targetsSchema.parse({})),
    options(20, 2, true),
  );
  const wanted = distinctShapes(batches);
  let read = 0;
  const source: BatchSource = {
    batchesPerEpoch: batches.batchesPerEpoch,
    outline: (epoch, index) => batches.batch(epoch, index),
    batch(epoch, index) {
      read++;
      return batches.batch(epoch, index, (_, padded) => ({
        more: { dtype: 'F32', shape: [padded], data: new Float32Array(padded) },
      }));
    },
  };
  const found = distinctShapes(source);
  assert.equal(found.length, wanted.length);
  assert.equal(read, wanted.length);
  assert.ok(read < batches.batchesPerEpoch, `${read} of ${batches.batchesPerEpoch} were read`);
  assert.deepEqual([...new Set(found.map((batch) => 'more' in batch))], [true]);
});
