import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { INFERENCE } from '../../src/compute/dropout.js';
import { ParameterStore, upload } from '../../src/compute/parameters.js';
import { selectBackend } from '../../src/compute/select.js';
import { createModel, type ModelConfig, modelSchema } from '../../src/model/registry.js';
import type { RestoredModel } from '../../src/model/restore.js';
import type { LearnExample } from '../../src/online/learner.js';
import { modelLearner } from '../../src/online/model-learner.js';
import { PopularityProposal } from '../../src/online/negatives.js';
import { nextItemLoss, packExamples } from '../../src/online/next-item-loss.js';
import { learningSchema } from '../../src/online/schema.js';
import { Random } from '../../src/random.js';
import type { Query } from '../../src/types.js';
import { catalogue, NOW } from './fixtures.js';

before(() => selectBackend('cpu'));

const KNOWN = catalogue(4, 30);
const CONFIGS: Record<string, unknown> = {
  linear: { name: 'linear', width: 8, length: 6 },
  transformer: { name: 'transformer', width: 8, depth: 1, heads: 2, length: 6 },
  'timed transformer': { name: 'transformer', width: 8, depth: 1, heads: 2, length: 6, relativeTime: true },
  gru: { name: 'gru', width: 8, hidden: 6, length: 6 },
  'two-tower': { name: 'two-tower', width: 8, hidden: [10], length: 6 },
  mlp: { name: 'mlp' },
  'sparse-linear': { name: 'sparse-linear', length: 6 },
};

/** Models that foretell values. */
const VALUED: Record<string, unknown> = {
  linear: CONFIGS.linear,
  'mlp of values': { name: 'mlp', hidden: [8], user: 'history', values: true },
  'fold-in': { name: 'fold-in', width: 4, length: 6, idDropout: 0 },
  'fast-weights': { name: 'fast-weights', width: 4, hidden: [6], steps: 2, length: 6, idDropout: 0 },
};

function restored(name: string, configs = CONFIGS): RestoredModel {
  const config: ModelConfig = modelSchema.parse(configs[name]);
  const model = createModel(config, KNOWN);
  return { model, config, catalogue: KNOWN, inits: model.init(Random.of(1, name)) };
}

const query = (items: readonly number[], user = 0): Query => ({
  user,
  items: Int32Array.from(items),
  behaviours: new Uint8Array(items.length),
  times: Float64Array.from(items, (_, n) => NOW + 1000 * n ** 3),
});

const example = (seq: number, history: readonly number[], item: number): LearnExample => ({
  seq,
  event: { id: `e${seq}`, user: 'x', item: `i${item}`, behaviour: 'view', time: NOW },
  query: query(history),
  item,
  behaviour: 0,
  weight: 1,
  known: KNOWN.items.length,
});

const learning = (over: object = {}) => learningSchema.parse({ negatives: 8, ...over });

for (const name of Object.keys(CONFIGS)) {
  for (const optimizer of ['sgd', 'adagrad', 'adam'] as const) {
    test(`${name} with ${optimizer}: an event repeated raises its item's score; equal calls give equal bits`, async () => {
      const run = async () => {
        const learner = modelLearner(restored(name), learning({ optimizer, learningRate: 0.05 }), 3);
        const q = query([4, 5]);
        const before = (await learner.score([q])).slice();
        for (let seq = 1; seq <= 8; seq++)
          await learner.learn([example(seq, [4, 5], 9), example(seq + 100, [1], 2)]);
        const after = (await learner.score([q])).slice();
        const snapshot = await learner.snapshot();
        learner.dispose();
        return { before, after, snapshot };
      };
      const { before, after, snapshot } = await run();
      const margin = (s: Float32Array): number => s[9]! - s.slice(1).reduce((a, b) => a + b, 0) / 30;
      assert(margin(after) > margin(before), `${margin(before)} → ${margin(after)}`);
      const again = await run();
      assert.deepEqual(again.after, after);
      assert.deepEqual(again.snapshot, snapshot);
    });
  }
}

for (const name of ['linear', 'transformer', 'timed transformer', 'gru', 'two-tower']) {
  test(`${name}: going on from a snapshot equals never having stopped`, async () => {
    const config = learning({ optimizer: 'adam' });
    const events = Array.from({ length: 6 }, (_, i) => [example(i, [i + 1, i + 2], i + 9)]);
    const straight = modelLearner(restored(name), config, 3);
    for (const batch of events) await straight.learn(batch);
    const first = modelLearner(restored(name), config, 3);
    for (const batch of events.slice(0, 3)) await first.learn(batch);
    const { parameters, optimizer } = await first.snapshot();
    const base = restored(name);
    for (const [key, init] of base.inits) {
      base.inits.set(key, { ...init, data: parameters.get(key)!.data as Float32Array });
    }
    const second = modelLearner(base, config, 3, { optimizer });
    for (const batch of events.slice(3)) await second.learn(batch);
    assert.deepEqual(await second.snapshot(), await straight.snapshot());
    for (const learner of [straight, first, second]) learner.dispose();
  });

  test(`${name}: back to a snapshot, and what a refused update leaves, bit for bit`, async () => {
    const learner = modelLearner(restored(name), learning({ optimizer: 'adam' }), 3);
    const fresh = await learner.snapshot();
    await learner.learn([example(1, [1, 2], 9)]);
    const one = await learner.snapshot();
    const [outcome] = await learner.learn([example(2, [3, 2], 8)], ({ loss, gradientNorm }) => {
      assert(loss > 0 && gradientNorm > 0, `${loss} ${gradientNorm}`);
      return 'not this one';
    });
    assert.deepEqual(outcome, { status: 'skipped', reason: 'not this one' });
    assert.deepEqual(await learner.snapshot(), one);
    const held = tf.memory().numTensors;
    await learner.learn([example(2, [3, 2], 8)], () => undefined);
    const two = await learner.snapshot();
    const scores = await learner.score([query([1, 2])]);
    assert.notDeepEqual(two, one);
    learner.restore(fresh);
    assert.deepEqual(await learner.snapshot(), fresh);
    for (const [seq, items, item] of [
      [1, [1, 2], 9],
      [2, [3, 2], 8],
    ] as const)
      await learner.learn([example(seq, [...items], item)]);
    assert.deepEqual(await learner.snapshot(), two);
    assert.deepEqual(await learner.score([query([1, 2])]), scores);
    assert.equal(await learner.finite!(), true);
    learner.restore({
      ...fresh,
      parameters: new Map(
        [...fresh.parameters].map(([key, one], i) => [
          key,
          i === 0 ? { ...one, data: Float32Array.from(one.data, () => Number.NaN) } : one,
        ]),
      ),
    });
    assert.equal(await learner.finite!(), false);
    learner.restore(fresh);
    assert(tf.memory().numTensors - held <= 8, 'tables that are cached, and no more');
    learner.dispose();
  });

  test(`${name}: 100 requests and 20 updates leave no tensor behind`, async () => {
    const learner = modelLearner(restored(name), learning(), 3);
    await learner.learn([example(0, [1], 2)]);
    await learner.score([query([1, 2])]);
    const held = tf.memory().numTensors;
    for (let n = 0; n < 100; n++) {
      await learner.score([query([1 + (n % 20), 2 + (n % 9)])]);
      if (n % 5 === 0) await learner.learn([example(n, [3, 4], 5)]);
    }
    await learner.score([query([1])]);
    assert.equal(tf.memory().numTensors, held);
    learner.dispose();
  });
}

test('an update of the linear model touches the rows of the batch only', async () => {
  const learner = modelLearner(restored('linear'), learning({ negatives: 2 }), 3);
  const before = (await learner.snapshot()).parameters.get('item.embedding')!.data.slice();
  await learner.learn([example(1, [4, 5], 9)]);
  const after = (await learner.snapshot()).parameters.get('item.embedding')!.data;
  for (let row = 0; row <= 30; row++) {
    const same = before.slice(row * 8, row * 8 + 8).every((x, i) => x === after[row * 8 + i]);
    assert.equal(same, row !== 4 && row !== 5, `row ${row}`);
  }
  learner.dispose();
});

test('the update norm is bounded', async () => {
  const norm = async (maxUpdateNorm: number): Promise<number> => {
    const learner = modelLearner(
      restored('linear'),
      learning({ optimizer: 'sgd', learningRate: 1, maxUpdateNorm }),
      3,
    );
    const from = (await learner.snapshot()).parameters;
    await learner.learn([{ ...example(1, [4, 5], 9), weight: 50 }]);
    const to = (await learner.snapshot()).parameters;
    learner.dispose();
    let sum = 0;
    for (const [key, { data }] of from)
      data.forEach((x, i) => {
        sum += (to.get(key)!.data[i]! - x) ** 2;
      });
    return Math.sqrt(sum);
  };
  assert(Math.abs((await norm(0.1)) - 0.1) < 1e-4);
  assert((await norm(0)) > 1);
});

test('the sampled softmax with every item drawn once estimates the loss over the catalogue', () => {
  // With the n items but the target drawn once each at equal q = 1/n, n · q = 1: exactly the full sum.
  const { model, inits } = restored('linear');
  const store = new ParameterStore(inits, model.constants());
  const one = example(1, [4, 5], 9);
  const proposal = new PopularityProposal(new Float32Array(31));
  const batch = packExamples([one], model, { proposal, count: 29, seed: 1 });
  const all = Int32Array.from({ length: 30 }, (_, i) => i + 1).filter((i) => i !== 9);
  const full = {
    ...batch,
    negatives: { ...batch.negatives!, data: all },
    offsets: { ...batch.offsets!, data: new Float32Array(29) },
  };
  tf.tidy(() => {
    const params = store.reader();
    const inputs = Object.fromEntries(Object.entries(full).map(([name, value]) => [name, upload(value)]));
    const loss = nextItemLoss('softmax', model)(params, inputs).dataSync()[0]!;
    const { states } = model.encode(
      params,
      {
        users: tf.tensor1d([0], 'int32'),
        items: tf.tensor2d([[4, 5]], [1, 2], 'int32'),
        behaviours: tf.tensor2d([[1, 1]], [1, 2], 'int32'),
      },
      INFERENCE,
    );
    const last = tf.reshape(tf.slice(states, [0, states.shape[1] - 1, 0], [1, 1, 8]), [1, 8]) as tf.Tensor2D;
    const scores = [...model.logits(params, last, 'all', INFERENCE).dataSync()].slice(1);
    const expected = Math.log(scores.reduce((sum, s) => sum + Math.exp(s), 0)) - scores[8]!;
    assert(Math.abs(loss - expected) < 1e-5, `${loss} ${expected}`);
  });
  store.dispose();
});

test('negatives follow popularity, avoid the target and the history, and depend on the event alone', () => {
  const proposal = new PopularityProposal(Float32Array.of(0, 15, 0, 80, 0), 0.5);
  const random = Random.of(5, 'draws');
  const counts = new Float64Array(5);
  for (let n = 0; n < 20_000; n++) counts[proposal.draw(random)]!++;
  // √(count + 1): 4, 1, 9, 1 of 15.
  for (const [item, share] of [0, 4 / 15, 1 / 15, 9 / 15, 1 / 15].entries()) {
    assert(Math.abs(counts[item]! / 20_000 - share) < 0.015);
    if (item > 0) assert(Math.abs(Math.exp(proposal.logProbability(item)) - share) < 1e-12);
  }
  const options = { proposal: new PopularityProposal(KNOWN.itemCounts), count: 16, seed: 3 };
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { minLength: 2, maxLength: 10 }),
      fc.nat(),
      (items, id) => {
        const [target, ...history] = items as [number, ...number[]];
        const alone = packExamples([example(id, history, target)], { length: 6 }, options).negatives!.data;
        const together = packExamples(
          [example(id + 1, [1], 2), example(id, history, target)],
          { length: 6 },
          options,
        ).negatives!.data;
        assert.deepEqual(together.slice(16), alone);
        const clean = [...alone].filter((item) => item !== target && !history.includes(item));
        assert(clean.length >= 12);
      },
    ),
  );
});

test('an item is drawn by the number that falls on it, among any first items', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constant(0), fc.nat(100_000)), { minLength: 1, maxLength: 60 }),
      fc.nat(),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (counts, pick, at) => {
        const proposal = new PopularityProposal(Float32Array.of(0, ...counts));
        const items = 1 + (pick % counts.length);
        const random = Object.assign(new Random(1), { uniform: () => at });
        const drawn = proposal.draw(random, items);
        const below = (last: number): number =>
          Array.from({ length: last }, (_, i) => Math.exp(proposal.logProbability(i + 1, items))).reduce(
            (a, b) => a + b,
            0,
          );
        assert(drawn >= 1 && drawn <= items);
        assert(below(drawn - 1) <= at + 1e-9 && at - 1e-9 <= below(drawn), `${drawn} at ${at}`);
      },
    ),
  );
});

test('a catalogue of one item still learns: its draws are masked', async () => {
  for (const loss of ['softmax', 'bce'] as const) {
    const tiny = catalogue(1, 1);
    const model = createModel(modelSchema.parse(CONFIGS.linear), tiny);
    const inits = model.init(new Random(1));
    const learner = modelLearner(
      { model, config: modelSchema.parse(CONFIGS.linear), catalogue: tiny, inits },
      learning({ loss }),
      3,
    );
    const [outcome] = await learner.learn([{ ...example(1, [1], 1), known: 2 }]);
    assert(outcome?.status === 'learned' && Number.isFinite(outcome.loss));
    learner.dispose();
  }
});

test('a model of values learns from the values of events, and from no other', async () => {
  for (const name of ['linear', 'mlp of values', 'fold-in', 'fast-weights']) {
    const learner = modelLearner(restored(name, VALUED), learning({ loss: 'mse', learningRate: 0.2 }), 3);
    const rated = (seq: number, item: number, value?: number): LearnExample => {
      const plain = example(seq, [4, 5], item);
      return value === undefined ? plain : { ...plain, event: { ...plain.event, value } };
    };
    const said = async (item: number): Promise<number> => (await learner.score([query([4, 5])]))[item]!;
    const off = async () => Math.abs((await said(9)) - 5) + Math.abs((await said(2)) - 1);
    const before = await off();
    const unmoved = (await learner.snapshot()).parameters;
    assert.deepEqual(await learner.learn([rated(0, 9)]), [{ status: 'skipped', reason: 'no value' }]);
    for (const [key, { data }] of (await learner.snapshot()).parameters)
      assert.deepEqual(data, unmoved.get(key)!.data, key);
    for (let n = 1; n <= 80; n++) {
      const outcomes = await learner.learn([rated(3 * n, 9, 5), rated(3 * n + 1, 2, 1), rated(3 * n + 2, 7)]);
      assert.deepEqual(
        outcomes.map(({ status }) => status),
        ['learned', 'learned', 'skipped'],
      );
    }
    const after = await off();
    assert.ok(after < 0.5 * before, `${name}: off by ${before}, then by ${after}`);
    learner.dispose();
  }
});
