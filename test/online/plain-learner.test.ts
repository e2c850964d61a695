import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { OPTIMIZER_NAMES } from '../../src/compute/optimizers/index.js';
import { selectBackend } from '../../src/compute/select.js';
import { createModel, type ModelConfig, modelSchema } from '../../src/model/registry.js';
import type { RestoredModel } from '../../src/model/restore.js';
import type { LearnExample, OnlineLearner } from '../../src/online/learner.js';
import { serveLearner } from '../../src/online/learners.js';
import { modelLearner } from '../../src/online/model-learner.js';
import { learningSchema } from '../../src/online/schema.js';
import { Random } from '../../src/random.js';
import type { Catalogue, FeatureTable, Query } from '../../src/types.js';
import { catalogue, NOW } from './fixtures.js';

before(() => selectBackend('cpu'));

const ITEMS = 20;
const USERS = 5;

/** Up to three tokens and two numbers a row; some have none. */
function features(random: Random, rows: number): FeatureTable {
  const tokenNames = ['', ...Array.from({ length: 6 }, (_, n) => `a=${n}`)];
  const tokens = Int32Array.from({ length: rows * 3 }, () => random.int(tokenNames.length));
  const numbers = Float32Array.from({ length: rows * 2 }, () => random.normal());
  tokens.fill(0, 0, 6);
  return { rows, width: 3, tokens, tokenNames, numbers, numberNames: ['x', 'y'] };
}

const PLAIN = catalogue(USERS, ITEMS);
const WITH_ATTRIBUTES: Catalogue = {
  ...PLAIN,
  itemFeatures: features(new Random(1), ITEMS + 1),
  userFeatures: features(new Random(2), USERS + 1),
};

/** Of one catalogue with a width that is a multiple of four, whose products are made four at a time. */
function restored(known: Catalogue): RestoredModel {
  const config: ModelConfig = modelSchema.parse({
    name: 'linear',
    width: known === PLAIN ? 8 : 6,
    length: 4,
  });
  const model = createModel(config, known);
  return { model, config, catalogue: known, inits: model.init(new Random(3)) };
}

function randomExamples(seed: number, count: number): LearnExample[] {
  const random = Random.of(seed, 'examples');
  return Array.from({ length: count }, (_, n) => {
    const length = random.int(8);
    const query: Query = {
      user: random.int(USERS + 1),
      items: Int32Array.from({ length }, () => 1 + random.int(ITEMS)),
      behaviours: new Uint8Array(length),
    };
    const item = 1 + random.int(ITEMS);
    return {
      seq: n + 1,
      event: {
        id: `e${seed}-${n}`,
        user: 'x',
        item: `i${item}`,
        behaviour: 'view',
        time: NOW,
        value: random.normal(),
      },
      query,
      item,
      behaviour: 0,
      weight: 0.5 + random.uniform(),
      known: ITEMS + 1 - random.int(3),
    };
  });
}

const batches = (examples: readonly LearnExample[]): LearnExample[][] =>
  [3, 1, 4, 2].map((size, i, sizes) => {
    const from = sizes.slice(0, i).reduce((a, b) => a + b, 0);
    return examples.slice(from, from + size);
  });

const QUERIES = randomExamples(99, 6).map(({ query }) => query);

function close(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string, tolerance = 2e-4): void {
  assert.equal(actual.length, expected.length, what);
  for (let i = 0; i < expected.length; i++) {
    const off = Math.abs(actual[i]! - expected[i]!);
    assert(off <= tolerance * (1 + Math.abs(expected[i]!)), `${what}[${i}]: ${actual[i]} for ${expected[i]}`);
  }
}

function both(known: Catalogue, over: object): readonly [OnlineLearner, OnlineLearner] {
  const config = learningSchema.parse({ negatives: 7, learningRate: 0.05, ...over });
  return [serveLearner(restored(known), config, 5, {}), modelLearner(restored(known), config, 5)];
}

for (const [kind, known] of [
  ['without attributes', PLAIN],
  ['with attributes', WITH_ATTRIBUTES],
] as const) {
  for (const loss of ['softmax', 'bce', 'mse'] as const) {
    for (const optimizer of OPTIMIZER_NAMES) {
      test(`${kind}, ${loss}, ${optimizer}: over arrays as by tensors`, async () => {
        const [plain, tensors] = both(known, { loss, optimizer, maxUpdateNorm: loss === 'bce' ? 0 : 1 });
        assert.equal(plain.arithmetic, 'arrays 1');
        assert.equal(tensors.arithmetic, undefined);
        close(await plain.score(QUERIES), await tensors.score(QUERIES), 'first scores', 1e-6);
        for (const batch of batches(randomExamples(1, 10))) {
          const judged: number[][] = [];
          const judge = ({ loss: of, gradientNorm }: { loss: number; gradientNorm: number }) => {
            judged.push([of, gradientNorm]);
            return batch.length === 1 ? 'not this one' : undefined;
          };
          const [ours, theirs] = [await plain.learn(batch, judge), await tensors.learn(batch, judge)];
          assert.deepEqual(
            ours.map(({ status }) => status),
            theirs.map(({ status }) => status),
          );
          close(judged[0]!, judged[1]!, 'loss and norm');
        }
        const [ours, theirs] = [await plain.snapshot(), await tensors.snapshot()];
        assert.deepEqual(ours.introduced, theirs.introduced);
        for (const part of ['parameters', 'optimizer'] as const) {
          assert.deepEqual([...ours[part].keys()].sort(), [...theirs[part].keys()].sort());
          for (const [name, tensor] of theirs[part]) {
            assert.deepEqual(ours[part].get(name)!.shape, tensor.shape, name);
            close(ours[part].get(name)!.data, tensor.data, name);
          }
        }
        close(
          (await plain.score(QUERIES)).subarray(1),
          (await tensors.score(QUERIES)).subarray(1),
          'scores',
          1e-3,
        );
        for (const one of [plain, tensors]) one.dispose();
      });
    }
  }

  test(`${kind}: states, lists from states, and their gradients over arrays as by tensors`, async () => {
    const [plain, tensors] = both(known, {});
    const states = await tensors.learnable!.adapt(QUERIES);
    close(await plain.learnable!.adapt(QUERIES), states, 'states', 1e-6);
    close(await plain.states!.rank(states), await tensors.states!.rank(states), 'ranked', 1e-6);
    const items = Int32Array.from(QUERIES, (_, i) => i + 1);
    const rows = Int32Array.from(QUERIES, (_, i) => ITEMS + 1 - i);
    const added = Float32Array.from({ length: QUERIES.length * (ITEMS + 1) }, (_, i) => (i % 7) - 3);
    for (const tempered of [undefined, { scale: 0.3 }, { scale: 2, added }])
      close(
        await plain.learnable!.gradients(states, items, rows, tempered),
        await tensors.learnable!.gradients(states, items, rows, tempered),
        'gradients',
        1e-5,
      );
    tensors.dispose();
  });

  test(`${kind}: what each event adds to scores, over arrays as by tensors`, async () => {
    const [plain, tensors] = both(known, {});
    const asked = Int32Array.of(1, 4, ITEMS);
    for (const query of QUERIES.filter(({ items }) => items.length > 0)) {
      const [ours, theirs] = [
        await plain.contributions!(query, asked),
        await tensors.contributions!(query, asked),
      ];
      assert.deepEqual(ours.events, theirs.events);
      close(ours.values, theirs.values, 'contributions', 1e-6);
    }
    tensors.dispose();
  });

  test(`${kind}: against what was shown, over arrays as by tensors`, async () => {
    const [plain, tensors] = both(known, { negativesFrom: 'shown' });
    const shown = known.items.slice(3, 8);
    const examples = randomExamples(4, 6).map((one) => ({ ...one, event: { ...one.event, shown } }));
    const drawn = both(known, {})[0];
    for (const batch of batches(examples)) for (const one of [plain, tensors, drawn]) await one.learn(batch);
    const scores = (await plain.score(QUERIES)).subarray(1);
    close(scores, (await tensors.score(QUERIES)).subarray(1), 'scores', 1e-3);
    assert.notDeepEqual(scores, (await drawn.score(QUERIES)).subarray(1));
    tensors.dispose();
  });

  test(`${kind}: equal calls give equal bits, and a snapshot goes on as if nothing had been`, async () => {
    const config = learningSchema.parse({ negatives: 7, optimizer: 'adam' });
    const examples = batches(randomExamples(2, 10));
    const [straight, again, resumed] = [0, 1, 2].map(() => serveLearner(restored(known), config, 5, {}));
    for (const batch of examples) for (const one of [straight!, again!]) await one.learn(batch);
    assert.deepEqual(await again!.snapshot(), await straight!.snapshot());
    const first = serveLearner(restored(known), config, 5, {});
    for (const batch of examples.slice(0, 2)) await first.learn(batch);
    resumed!.restore(await first.snapshot());
    for (const batch of examples.slice(2)) await resumed!.learn(batch);
    assert.deepEqual(await resumed!.snapshot(), await straight!.snapshot());
    assert.deepEqual(await resumed!.score(QUERIES), await straight!.score(QUERIES));
  });
}

test('an item that comes begins as the mean of its neighbours, over arrays as by tensors', async () => {
  const config = learningSchema.parse({ negatives: 3 });
  const [example] = randomExamples(4, 1) as [LearnExample];
  const comes = { ...example, query: { ...example.query, items: Int32Array.of(2, 3) }, item: 20, known: 20 };
  const [ours, theirs] = await Promise.all(
    [
      serveLearner(restored(PLAIN), config, 5, { known: 20 }),
      modelLearner(restored(PLAIN), config, 5, { known: 20 }),
    ].map(async (learner) => {
      await learner.learn([comes]);
      return learner.snapshot();
    }),
  );
  assert.equal(ours!.introduced[20], 1);
  for (const [name, { data }] of theirs!.parameters) close(ours!.parameters.get(name)!.data, data, name);
});
