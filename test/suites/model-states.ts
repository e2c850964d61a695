import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE, NEWEST, type PassContext } from '../../src/compute/dropout.js';
import { ParameterStore } from '../../src/compute/parameters.js';
import { createModel, type ModelConfig } from '../../src/model/registry.js';
import { scoreQueries } from '../../src/model/scorer.js';
import { atLast } from '../../src/model/select.js';
import { Random } from '../../src/random.js';
import { assertClose, largestGap, valuesOf } from './assertions.js';
import { CATALOGUE, ITEMS } from './gradients.js';
import type { ModelCase, Subject } from './model-case.js';

/** What the states of a model follow from, and what its logits are. */
export function statesContract(
  { model, using, encode, states, ages, rated }: Subject,
  { config, readsHistory, readsUser }: ModelCase,
): void {
  test('encode gives [B, L, D] or [B, 1, D], and a tensor for every named layer', () =>
    using((params) => {
      tf.tidy(() => {
        const encoded = encode(
          params,
          [1, 2],
          [
            [0, 3, 4],
            [1, 2, 3],
          ],
        );
        const steps = model.positional ? 3 : 1;
        assert.deepEqual(encoded.states.shape, [2, steps, model.width]);
        assert.equal(encoded.layers.length, model.layerNames.length);
        for (const layer of encoded.layers) assert.deepEqual(layer.shape.slice(0, 2), [2, steps]);
      });
    }));

  test('logits of all items, of shared and of own candidates have their shapes and agree', () =>
    using((params) => {
      const state = tf.tidy(() => tf.randomNormal([3, model.width], 0, 1, 'float32', 3) as tf.Tensor2D);
      const own = [
        [1, 5, 10],
        [7, 7, 2],
        [3, 9, 4],
      ];
      const shared = [4, 10, 1, 1];
      const all = tf.tidy(() => model.logits(params, state, 'all', INFERENCE));
      const some = tf.tidy(() => model.logits(params, state, tf.tensor1d(shared, 'int32'), INFERENCE));
      const each = tf.tidy(() =>
        model.logits(params, state, tf.tensor2d(own, undefined, 'int32'), INFERENCE),
      );
      assert.deepEqual(all.shape, [3, ITEMS + 1]);
      assert.deepEqual(some.shape, [3, 4]);
      assert.deepEqual(each.shape, [3, 3]);
      const table = all.arraySync() as number[][];
      assertClose(
        some.dataSync(),
        table.flatMap((row) => shared.map((i) => row[i]!)),
        'shared candidates',
      );
      assertClose(
        each.dataSync(),
        own.flatMap((ids, n) => ids.map((i) => table[n]![i]!)),
        'own candidates',
      );
      for (const row of table) assert.ok(row[0]! < -1e8, 'padding can never be ranked');
      for (let item = 2; item <= ITEMS; item++) assert.notEqual(table[0]![item], table[0]![1]);
      tf.dispose([state, all, some, each]);
    }));

  test('more padding on the left changes nothing', () =>
    using((params) => {
      const short = states(
        params,
        [1, 2],
        [
          [3, 4],
          [0, 6],
        ],
      );
      const long = states(
        params,
        [1, 2],
        [
          [0, 0, 3, 4],
          [0, 0, 0, 6],
        ],
      );
      const last = (values: Float32Array, steps: number): number[] =>
        [0, 1].flatMap((b) => {
          const at = (model.positional ? b * steps + steps - 1 : b) * model.width;
          return [...values.subarray(at, at + model.width)];
        });
      assertClose(last(long, 4), last(short, 2), 'last states');
    }));

  test('the newest state alone is the one among all', () =>
    using((params) => {
      const items = [
        [0, 3, 4],
        [1, 2, 3],
        [0, 0, 0],
      ];
      const asked = (pass: PassContext): Float32Array =>
        valuesOf(() => atLast(encode(params, [1, 2, 0], items, ages(items), rated(items), pass).states));
      assertClose(asked(NEWEST), asked(INFERENCE), 'newest states');
    }));

  test('a later event changes its own state and no earlier one', { skip: !model.positional }, () =>
    using((params) => {
      const { width } = model;
      const before = states(params, [1], [[2, 3, 4, 5]]);
      const after = states(params, [1], [[2, 3, 9, 8]]);
      assertClose(after.subarray(0, 2 * width), before.subarray(0, 2 * width), 'earlier states', 1e-6, 0);
      for (const t of [2, 3]) {
        const gap = largestGap(
          after.subarray(t * width, (t + 1) * width),
          before.subarray(t * width, (t + 1) * width),
        );
        assert.ok(gap > 1e-3, `the state at ${t} follows its event`);
      }
    }),
  );

  test('a later time changes its own state and no earlier one', { skip: !model.readsTimes }, () =>
    using((params) => {
      const items = [[2, 3, 4, 5]];
      const at = (times: number[]): Float32Array =>
        valuesOf(() => encode(params, [1], items, [times]).states);
      const before = at([-900, -500, -20, 0]);
      const { width } = model;
      for (const after of [at([-900, -500, 7000, 50_000]), at([-900, -500, -499, 50_000])]) {
        assertClose(after.subarray(0, 2 * width), before.subarray(0, 2 * width), 'earlier states', 1e-6, 0);
        assert.ok(largestGap(after.subarray(2 * width), before.subarray(2 * width)) > 1e-3);
      }
      assertClose(at([99_100, 99_500, 99_980, 100_000]), before, 'only differences count', 1e-6, 0);
    }),
  );

  test('the values of events count, each as far as it is from the centre', { skip: !model.readsValues }, () =>
    using(async (params) => {
      const items = [[2, 3, 4, 5]];
      const at = (values: number[]): Float32Array =>
        valuesOf(() => encode(params, [1], items, ages(items), [values]).states);
      assert.ok(largestGap(at([2, -1, 0, 1]), at([2, -1, 0, -1])) > 1e-4);
      const { center } = model.readsValues!;
      const given = { user: 1, items: Int32Array.of(2, 3), behaviours: new Uint8Array(2) };
      const none = await scoreQueries(model, params, [{ ...given, values: Float32Array.of(NaN, NaN) }]);
      const average = await scoreQueries(model, params, [
        { ...given, values: Float32Array.of(center, center) },
      ]);
      assertClose(none, average, 'an event without a value', 1e-6);
    }),
  );

  test(
    'each behaviour has its own answer, and none in particular the plain one',
    { skip: !model.readsAsked },
    () =>
      using(async (params) => {
        const query = { user: 1, items: Int32Array.of(2, 3), behaviours: Uint8Array.of(0, 1) };
        const [view, buy, any] = await Promise.all(
          [{ asks: 0 }, { asks: 1 }, {}].map((asks) => scoreQueries(model, params, [{ ...query, ...asks }])),
        );
        for (const [a, b] of [
          [view, buy],
          [view, any],
          [buy, any],
        ])
          assert.ok(largestGap(a!, b!) > 1e-3);
        const plain = createModel({ ...config, behaviourHeads: false } as ModelConfig, CATALOGUE);
        assertClose(await scoreQueries(plain, params, [query]), any!, 'the model without heads', 1e-6);
        const store = new ParameterStore(model.init(new Random(7)), model.constants());
        const [asked, unasked] = await Promise.all(
          [{ asks: 1 }, {}].map((asks) => scoreQueries(model, store.reader(), [{ ...query, ...asks }])),
        );
        store.dispose();
        assert.deepEqual(asked, unasked, 'heads that have learned nothing change nothing');
      }),
  );

  test('a batch longer than the model reads: only the last events count', { skip: model.positional }, () =>
    using((params) => {
      const cut = states(params, [1], [[2, 3, 4, 5, 6]]);
      assert.equal(model.length, 5);
      assertClose(states(params, [1], [[9, 8, 2, 3, 4, 5, 6]]), cut, 'state', 1e-6);
    }),
  );

  test('the user and the history count where the model reads them', () =>
    using((params) => {
      const base = states(params, [1], [[2, 3]]);
      assert.equal(largestGap(states(params, [1], [[4, 5]]), base) > 1e-3, readsHistory);
      assert.equal(largestGap(states(params, [2], [[2, 3]]), base) > 1e-3, readsUser);
    }));
}
