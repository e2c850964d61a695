import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Features,
  Logistic,
  type LogisticConfig,
  sigmoid,
} from '../../../src/online/clicks/logistic.js';

const CONFIG: LogisticConfig = { bits: 8, learningRate: 0.5, initialAccumulator: 4 };

const near = (found: number, expected: number, by: number): void =>
  assert.ok(Math.abs(found - expected) <= by, `${found} is not ${expected} ± ${by}`);

const features = (...of: readonly (readonly [hash: number, value: number])[]): Features => ({
  count: of.length,
  hashes: Int32Array.from(of, ([hash]) => hash),
  values: Float64Array.from(of, ([, value]) => value),
});

test('steps by hand: adaptive, and implicit', () => {
  const model = new Logistic(CONFIG);
  const one = features([3, 1]);
  assert.equal(model.learn(one, 1), 0, 'nothing is known before');
  // p = .5, g = −.5, a = 4 + .25: r = .5 / √4.25 = .24253563; w = .5 r / (1 + .25 r) = .12126781 / 1.06063391
  near(model.logit(one), 0.11433522, 1e-7);
  near(model.learn(one, 0), 0.11433522, 1e-7);
  // p = .52855271, a = 4.25 + .27936780: r = .23493666; w −= p r / (1 + p (1 − p) r) = .12417640 / 1.05854266
  near(model.logit(one), 0.11433522 - 0.11730884, 1e-6);
  // Values scale gradient and logit: p = .5, g x = −1 for x = 2, a = 5: r = .2236068, w = x .5 r / (1 + .25 · 4 r) = .18274400
  const other = features([4, 2]);
  model.learn(other, 1);
  near(model.logit(features([4, 1])), 0.2236068 / 1.2236068, 1e-6);
  near(model.logit(other), 2 * (0.2236068 / 1.2236068), 1e-6);
});

test('hashes that are equal in their low bits share a weight; an event never overshoots its label', () => {
  const model = new Logistic(CONFIG);
  model.learn(features([5, 1]), 1);
  assert.equal(model.logit(features([5 + 256, 1])), model.logit(features([5, 1])));
  assert.equal(model.logit(features([-251, 1])), model.logit(features([5, 1])), 'negative ones, too');
  const many = features(...Array.from({ length: 200 }, (_, i) => [i, 1] as const));
  const eager = new Logistic({ ...CONFIG, learningRate: 100, initialAccumulator: 1e-3 });
  eager.learn(many, 1);
  // The implicit step of g = −.5 goes no farther than to where the tangent of the loss is level: −g / (p (1 − p)) = 2.
  assert.ok(eager.logit(many) > 1.9 && eager.logit(many) <= 2.0001, `${eager.logit(many)}`);
});

test('one that is always right about a weight learns its rate', () => {
  const model = new Logistic(CONFIG);
  for (let n = 0; n < 20_000; n++) model.learn(features([1, 1]), n % 5 === 0 ? 1 : 0);
  near(sigmoid(model.logit(features([1, 1]))), 0.2, 0.02);
});

const stream = fc.array(
  fc.record({
    of: fc.array(
      fc.tuple(
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.double({ min: -25, max: 25, noNaN: true }),
      ),
      { maxLength: 12 },
    ),
    label: fc.constantFrom<0 | 1>(0, 1),
  }),
  { maxLength: 60 },
);
const settings = fc.record({
  bits: fc.constantFrom(8, 10),
  learningRate: fc.double({ min: 1e-3, max: 100, noNaN: true }),
  initialAccumulator: fc.double({ min: 1e-6, max: 1e6, noNaN: true }),
});
const weights = (model: Logistic): number[] => [
  ...(model.snapshot().tensors.get('clicks.slots')!.data as Int32Array),
  ...(model.snapshot().tensors.get('clicks.weights')!.data as Float32Array),
];

test('finite for any stream; equal bits when repeated, and when a snapshot is taken up on the way', () => {
  fc.assert(
    fc.property(settings, stream, fc.nat(), (config, events, at) => {
      const [first, second] = [new Logistic(config), new Logistic(config)];
      let third = new Logistic(config);
      for (const [n, { of, label }] of events.entries()) {
        const event = features(...of);
        assert.ok(Number.isFinite(first.learn(event, label)));
        second.learn(event, label);
        if (n === at % events.length) {
          const state = third.snapshot();
          third = new Logistic(config);
          third.learn(features([7, 1]), 1);
          third.load(state);
        }
        third.learn(event, label);
      }
      assert.ok(weights(first).every(Number.isFinite));
      assert.deepEqual(weights(second), weights(first));
      assert.deepEqual(weights(third), weights(first));
      first.load();
      assert.deepEqual(weights(first), []);
    }),
  );
});

test('the order of the features does not matter', () => {
  const distinct = fc.uniqueArray(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(fc.array(fc.tuple(distinct, fc.constantFrom<0 | 1>(0, 1)), { maxLength: 40 }), (events) => {
      const [forth, back] = [new Logistic(CONFIG), new Logistic(CONFIG)];
      for (const [hashes, label] of events) {
        const of = hashes.map((hash) => [hash, 1 + (hash % 3)] as const);
        near(back.learn(features(...of.toReversed()), label), forth.learn(features(...of), label), 1e-5);
      }
    }),
  );
});
