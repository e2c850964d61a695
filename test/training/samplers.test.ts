import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Random } from '../../src/random.js';
import { drawNegatives, negativeOptions, planNegatives } from '../../src/training/negatives.js';
import { SAMPLER_NAMES, SAMPLERS } from '../../src/training/samplers.js';
import { targetsSchema } from '../../src/training/schema.js';
import { sequenceBatches } from '../../src/training/sequence-batches.js';
import { trainRows } from '../../src/training/train-rows.js';
import { catalogueOf, datasetOf, type Event } from '../suites/fixtures.js';

/** Counts of items 1 … n, of which at least one is a target. */
const COUNTS = fc
  .array(fc.nat(50), { minLength: 1, maxLength: 12 })
  .filter((counts) => counts.some((n) => n > 0))
  .map((counts) => Float64Array.of(0, ...counts));

/** A batch with the targets that the counts say, each as often. */
const batchOf = (counts: Float64Array): Int32Array =>
  Int32Array.from([...counts].flatMap((n, item) => new Array<number>(n).fill(item)));

for (const name of SAMPLER_NAMES) {
  describe(`negatives drawn ${name}`, () => {
    test('their probabilities sum to one, and padding is never drawn', () => {
      fc.assert(
        fc.property(COUNTS, fc.nat(), (counts, seed) => {
          const sampler = SAMPLERS[name](counts);
          const items = counts.length - 1;
          let sum = 0;
          for (let item = 1; item <= items; item++) sum += Math.exp(sampler.logProbability(item));
          assert.ok(Math.abs(sum - 1) < 1e-9, `sum ${sum}`);
          const rng = new Random(seed);
          for (let n = 0; n < 20; n++) {
            const drawn = sampler.draw(n % 2 === 0 ? batchOf(counts) : new Int32Array(0), rng);
            assert.ok(drawn >= 1 && drawn <= items);
            assert.ok(Number.isFinite(sampler.logProbability(drawn)), 'what is drawn has a probability');
          }
        }),
      );
    });

    test('log q is the log of how often an item is drawn', () => {
      fc.assert(
        fc.property(COUNTS, fc.nat(), (counts, seed) => {
          const sampler = SAMPLERS[name](counts);
          const rng = new Random(seed);
          const draws = 20_000;
          const found = new Float64Array(counts.length);
          const batch = batchOf(counts);
          for (let n = 0; n < draws; n++) found[sampler.draw(batch, rng)]!++;
          for (let item = 1; item < counts.length; item++) {
            const q = Math.exp(sampler.logProbability(item));
            const deviation = Math.sqrt((q * (1 - q)) / draws);
            assert.ok(
              Math.abs(found[item]! / draws - q) <= 6 * deviation + 10 / draws,
              `item ${item}: q ${q}`,
            );
          }
        }),
        // A statistical test: its draws are always the same ones.
        { numRuns: 20, seed: 1 },
      );
    });
  });
}

test('popularity is the count plus one to the power of ¾', () => {
  const sampler = SAMPLERS.popularity(Float64Array.of(0, 15, 0, 80));
  const weights = [8, 1, 27];
  weights.forEach((w, i) => {
    assert.ok(Math.abs(Math.exp(sampler.logProbability(i + 1)) - w / 36) < 1e-12);
  });
});

describe('negatives of a batch', () => {
  // Item k of 1 … 4 is a target k times; item 5 never is.
  const catalogue = catalogueOf(10, 5);
  const events: Event[] = [1, 2, 2, 3, 3, 3, 4, 4, 4, 4].map((item, u) => ({ user: u + 1, item }));
  const rows = trainRows(datasetOf(catalogue, events), targetsSchema.parse({}));
  const need = ['sharedNegatives'] as const;
  const optionsFor = (negativeSampling: (typeof SAMPLER_NAMES)[number], negatives = 4) =>
    negativeOptions(planNegatives({ loss: 'sampled-softmax', negatives, negativeSampling }, need, 5), rows);

  test('come with −log(K q) of each', () => {
    for (const name of SAMPLER_NAMES) {
      const options = optionsFor(name);
      const { negatives, logSampling } = drawNegatives(Int32Array.of(1, 4, 0, 3), options, Random.of(1, 'n'));
      assert.deepEqual(logSampling!.shape, [4]);
      negatives!.data.forEach((item, k) => {
        const expected = -Math.log(4) - options.sampler!.logProbability(item);
        assert.ok(Math.abs(logSampling!.data[k]! - expected) < 1e-6, name);
      });
    }
  });

  test('in-batch ones are targets of this batch; padding is none', () => {
    const targets = Int32Array.of(2, 0, 4, 0);
    const { negatives } = drawNegatives(targets, optionsFor('in-batch'), Random.of(2, 'n'));
    assert.ok([...negatives!.data].every((item) => item === 2 || item === 4));
  });

  test('over the batches of many epochs, in-batch and mixed ones come as often as their log q says', () => {
    for (const name of ['in-batch', 'mixed'] as const) {
      const options = optionsFor(name, 5);
      const source = sequenceBatches(rows, {
        length: 4,
        batchSize: 3,
        seed: 1,
        negatives: options,
        fixedShapes: false,
      });
      const found = new Float64Array(6);
      let draws = 0;
      for (let epoch = 0; epoch < 600; epoch++) {
        for (let index = 0; index < source.batchesPerEpoch; index++) {
          const batch = source.batch(epoch, index);
          // Batches of fewer targets draw as many: weigh each batch by its targets.
          const size = batch.weights!.data.filter((w) => w > 0).length;
          for (const item of batch.negatives!.data) found[item]! += size;
          draws += size * batch.negatives!.data.length;
        }
      }
      for (let item = 1; item <= 5; item++) {
        const q = Math.exp(options.sampler!.logProbability(item));
        assert.ok(
          Math.abs(found[item]! / draws - q) < 0.015,
          `${name}, item ${item}: ${found[item]! / draws}, q ${q}`,
        );
      }
    }
  });

  test('the correction makes the estimated sum right for every way to draw', () => {
    const score = (item: number): number => Math.exp(item / 2);
    for (const name of ['uniform', 'popularity', 'mixed'] as const) {
      const options = optionsFor(name, 5);
      const batch = Int32Array.from(rows.item);
      let sum = 0;
      const times = 4000;
      for (let n = 0; n < times; n++) {
        const { negatives, logSampling } = drawNegatives(batch, options, Random.of(n, 'n'));
        negatives!.data.forEach((item, k) => {
          sum += score(item) * Math.exp(logSampling!.data[k]!);
        });
      }
      const expected = [1, 2, 3, 4, 5].reduce((total, item) => total + score(item), 0);
      assert.ok(Math.abs(sum / times / expected - 1) < 0.03, `${name}: ${sum / times}, expected ${expected}`);
    }
  });

  test('gbce gets its power: 1 − t (1 − K / (V − 1))', () => {
    const power = (negatives: number, calibration?: number): number => {
      const config = { loss: 'gbce', negatives, ...(calibration === undefined ? {} : { calibration }) };
      const options = negativeOptions(planNegatives(config, ['groupedNegatives', 'power'], 5), rows);
      return drawNegatives(Int32Array.of(1), options, Random.of(1, 'n')).power!.data[0]!;
    };
    // One of the four other items is drawn: α = ¼, β = α (t (1 − 1/α) + 1/α).
    const [alpha, t] = [1 / 4, 0.75];
    assert.ok(Math.abs(power(1) - alpha * (t * (1 - 1 / alpha) + 1 / alpha)) < 1e-6);
    assert.deepEqual([power(1, 0), power(1, 1), power(4, 1), power(99, 1)], [1, 0.25, 1, 1]);
  });

  test('groups of a batch draw their own, and only gbce has them', () => {
    const config = { loss: 'gbce', negatives: 3, negativeGroups: 2 };
    const options = negativeOptions(planNegatives(config, ['groupedNegatives', 'power'], 1000), rows);
    const { negatives } = drawNegatives(Int32Array.of(1), options, Random.of(1, 'n'));
    assert.deepEqual(negatives!.shape, [2, 3]);
    assert.equal(new Set(negatives!.data).size, 6);
    for (const loss of ['sampled-softmax', 'bce', 'softmax'])
      assert.throws(() => planNegatives({ ...config, loss }, [], 5), {
        code: 'CONFIG_INVALID',
        message: new RegExp(`negativeGroups: only gbce.*"${loss}"`),
      });
  });

  test('a loss that does not correct for the sampling refuses all but the uniform one', () => {
    for (const [loss, needs] of [
      ['gbce', ['groupedNegatives', 'power']],
      ['bce', ['ownNegatives']],
      ['softmax', []],
    ] as const)
      assert.throws(() => planNegatives({ loss, negatives: 2, negativeSampling: 'mixed' }, needs, 5), {
        code: 'CONFIG_INVALID',
        message: new RegExp(`negativeSampling: the loss "${loss}".*"mixed".*sampled-softmax`),
      });
  });
});
