import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import type { BackendName } from '../../src/compute/backend.js';
import { INFERENCE, NEWEST, type PassContext } from '../../src/compute/dropout.js';
import { ParameterStore, type Params } from '../../src/compute/parameters.js';
import { selectBackend } from '../../src/compute/select.js';
import { LOSSES } from '../../src/model/losses/index.js';
import type { Encoded } from '../../src/model/model.js';
import { createModel, type ModelConfig } from '../../src/model/registry.js';
import { restoreModel } from '../../src/model/restore.js';
import { modelScorer, paramsScorer, scoreQueries } from '../../src/model/scorer.js';
import { atLast } from '../../src/model/select.js';
import { modelAdapter, paramsAdapter } from '../../src/model/user-states.js';
import { Random } from '../../src/random.js';
import type { Query } from '../../src/types.js';
import { assertClose, assertNoLeak, largestGap, valuesOf } from './assertions.js';
import { compressionContract } from './compression.js';
import { exportContract } from './export.js';
import { withNoise } from './fixtures.js';
import { CATALOGUE, checkGradient, gradientOf, ITEMS, TRAININGS, taskOf, trainer } from './gradients.js';
import { learnCheckerboard } from './learning.js';

export interface ModelCase {
  readonly label: string;
  readonly config: ModelConfig;
  /** Whether a user's history changes the scores, and whether the user's index does. */
  readonly readsHistory: boolean;
  readonly readsUser: boolean;
  /** Steps it takes to learn the checkerboard; default 40. */
  readonly steps?: number;
  /** True where the gradient is meant to leave something out (first-order meta-learning). */
  readonly approximate?: boolean;
  /** False where steps cannot teach it the whole checkerboard. */
  readonly learns?: false;
}

/** The contract of every model: what it must compute, keep, give back and learn. */
export function modelContract(
  backend: BackendName,
  { label, config, readsHistory, readsUser, steps, learns, approximate = false }: ModelCase,
): void {
  describe(label, () => {
    const model = createModel(config, CATALOGUE);
    const inits = withNoise(model.init(new Random(7)), 11);

    /** Runs `work` with the model's parameters on the backend. */
    const using = async (
      work: (params: Params, store: ParameterStore) => void | Promise<void>,
    ): Promise<void> => {
      const store = new ParameterStore(inits, model.constants());
      try {
        await work(store.reader(), store);
      } finally {
        store.dispose();
      }
    };
    /** Further and further back from the newest, in seconds. */
    const ages = (items: number[][]): number[][] =>
      items.map((row) => row.map((_, t) => -40 * (row.length - 1 - t) ** 3));
    const rated = (items: number[][]): number[][] =>
      items.map((row) => row.map((i) => (i === 0 ? 0 : ((i * 7) % 5) - 2)));
    const encode = (
      params: Params,
      users: number[],
      items: number[][],
      times = ages(items),
      values = rated(items),
      pass = INFERENCE,
    ): Encoded =>
      model.encode(
        params,
        {
          users: tf.tensor1d(users, 'int32'),
          items: tf.tensor2d(items, undefined, 'int32'),
          behaviours: tf.tensor2d(
            items.map((row) => row.map((i) => (i === 0 ? 0 : 1 + (i % 2)))),
            undefined,
            'int32',
          ),
          ...(model.readsTimes ? { times: tf.tensor2d(times, undefined, 'int32') } : {}),
          ...(model.readsValues ? { values: tf.tensor2d(values) } : {}),
          ...(model.readsAsked
            ? {
                asked: tf.tensor2d(
                  items.map((row) => row.map((i) => i % 3)),
                  undefined,
                  'int32',
                ),
              }
            : {}),
        },
        pass,
      );
    const states = (params: Params, users: number[], items: number[][]): Float32Array =>
      valuesOf(() => encode(params, users, items).states);

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

    test(
      'the values of events count, each as far as it is from the centre',
      { skip: !model.readsValues },
      () =>
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
            [{ asks: 0 }, { asks: 1 }, {}].map((asks) =>
              scoreQueries(model, params, [{ ...query, ...asks }]),
            ),
          );
          for (const [a, b] of [
            [view, buy],
            [view, any],
            [buy, any],
          ])
            assert.ok(largestGap(a!, b!) > 1e-3);
          const plain = createModel({ ...config, behaviourHeads: false } as ModelConfig, CATALOGUE);
          assertClose(await scoreQueries(plain, params, [query]), any!, 'the model without heads', 1e-6);
          const fresh = model.init(new Random(7));
          for (const [name, { data }] of fresh)
            if (name.startsWith('behaviourHeads.'))
              assert.ok(
                data.every((weight) => weight === 0),
                name,
              );
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

    test('an unknown user without history gets finite scores', () =>
      using(async (params) => {
        const none: Query = { user: 0, items: new Int32Array(0), behaviours: new Uint8Array(0) };
        const scores = await scoreQueries(model, params, [none]);
        assert.equal(scores.length, ITEMS + 1);
        assert.ok(scores.every(Number.isFinite));
      }));

    test('one query alone and among longer ones gets the same scores', () =>
      using(async (params) => {
        const query = (user: number, ...items: number[]): Query => ({
          user,
          items: Int32Array.from(items),
          behaviours: Uint8Array.from(items, (i) => i % 2),
          times: Float64Array.from(items, (_, n) => 1.7e12 + 1000 * n ** 3),
          values: Float32Array.from(items, (i) => i % 5),
          asks: user % 2,
        });
        const long = query(2, ...Array.from({ length: model.length + 3 }, (_, i) => 1 + (i % ITEMS)));
        const alone = await scoreQueries(model, params, [query(1, 5)]);
        const among = await scoreQueries(model, params, [long, query(1, 5), query(0)]);
        assertClose(among.subarray(ITEMS + 1, 2 * (ITEMS + 1)), alone, 'scores');
        const cut = query(2, ...long.items.subarray(3));
        const recent = await scoreQueries(model, params, [
          {
            ...cut,
            behaviours: long.behaviours.subarray(3),
            times: long.times!.subarray(3),
            values: long.values!.subarray(3),
            asks: long.asks!,
          },
        ]);
        assertClose(recent, among.subarray(0, ITEMS + 1), 'only the last events are read');
      }));

    test('saved and restored parameters give the same scores', () =>
      using(async (params, store) => {
        const queries: Query[] = [
          {
            user: 1,
            items: Int32Array.of(1, 2, 3),
            behaviours: Uint8Array.of(0, 1, 0),
            asks: 1,
            times: Float64Array.of(0, 5e4, 7e6),
            values: Float32Array.of(5, 1, 2),
          },
          { user: 0, items: Int32Array.of(9), behaviours: Uint8Array.of(1), times: Float64Array.of(1) },
        ];
        const before = await paramsScorer(model, params, ITEMS, 'before').score(queries);
        const stored = { path: 'stored', tensors: await store.export(), catalogue: CATALOGUE };
        const manifest = { model: { config: JSON.parse(JSON.stringify(config)) as unknown } };
        const scorer = modelScorer(restoreModel({ ...stored, manifest }));
        assert.equal(scorer.items, ITEMS);
        // As a recorded graph its products may be summed in another order.
        assertClose(await scorer.score(queries), before, 'scores', 1e-5, 1e-5);
        scorer.dispose();
      }));

    test('a user’s events become a state that says all, and without them it is what it was', () =>
      using(async (params) => {
        const adapter = modelAdapter({ model, config, inits, catalogue: CATALOGUE });
        const live = paramsAdapter(model, params);
        const queries = [[], [3], [9, 2], [1, 2, 2, 9]].map(
          (items, n): Query => ({
            user: n % 3,
            items: Int32Array.from(items),
            behaviours: Uint8Array.from(items, (i) => i % 2),
            times: Float64Array.from(items, (_, t) => 1e6 * t),
            values: Float32Array.from(items, (i) => i % 5),
            ...(n === 0 ? {} : { asks: n % 2 }),
          }),
        );
        const scores = await scoreQueries(model, params, queries);
        const states = await adapter.adapt(queries);
        assert.equal(states.length, queries.length * model.width);
        assertClose(await adapter.rank(states), scores, 'from recorded states', 1e-4, 1e-4);
        assertClose(await live.rank(await live.adapt(queries)), scores, 'from live states', 1e-5, 1e-5);
        const again = await adapter.adapt(queries);
        assert.deepEqual(again, states, 'adapting to others has changed nothing');
        adapter.dispose();
      }));

    test('scores without tensors are the same', { skip: !model.direct }, () =>
      using(async (params) => {
        const queries = [
          [],
          [3],
          [1, 2, 2, 9],
          Array.from({ length: model.length + 4 }, (_, i) => 1 + (i % ITEMS)),
        ].map(
          (items, n): Query => ({
            user: n,
            items: Int32Array.from(items),
            behaviours: new Uint8Array(items.length),
          }),
        );
        const score = model.direct!(inits);
        for (const query of queries)
          assertClose(
            score(query),
            await scoreQueries(model, params, [query]),
            `user ${query.user}`,
            1e-5,
            1e-5,
          );
      }),
    );

    exportContract(backend, { model, config, inits, catalogue: CATALOGUE }, { readsHistory, readsUser });

    test('steps, evaluation and scoring leave no tensor behind', () =>
      assertNoLeak('a whole life', async () => {
        for (const sparseTables of model.readsCatalogue ? [false] : [false, true]) {
          await trainer(
            model,
            taskOf('sampled-softmax', 'next-item'),
            { sparseTables },
            async (step, batch, store) => {
              await assertNoLeak('a step', async () => void (await step.run([batch], 0.01)));
              await assertNoLeak('an evaluation', async () => void (await step.evaluate(batch)));
              await assertNoLeak('state', async () => step.load(await step.export()));
              await assertNoLeak('scores', async () => {
                const one = { user: 1, items: Int32Array.of(1), behaviours: Uint8Array.of(0) };
                const query = { ...one, times: Float64Array.of(1) };
                await paramsScorer(model, store.reader(), ITEMS, 'x').score([query]);
              });
            },
          );
        }
      }));

    for (const { loss, task } of TRAININGS) {
      const wanted = taskOf(loss, task);
      if (backend === 'cpu') {
        test(`the gradient of ${loss} (${task}) equals finite differences`, {
          skip: approximate,
        }, async () => {
          await checkGradient(
            model,
            wanted,
            inits,
            await gradientOf(model, wanted, { sparseTables: false, inits }),
          );
        });
      } else {
        test(`the gradient of ${loss} (${task}) equals the cpu backend's`, async () => {
          await selectBackend('cpu');
          const expected = await gradientOf(model, wanted, { sparseTables: false, inits });
          await selectBackend(backend);
          const found = await gradientOf(model, wanted, { sparseTables: false, inits });
          for (const [name, gradient] of expected) assertClose(found.get(name)!, gradient, name, 1e-5, 1e-3);
        });
      }
      if (LOSSES[loss].readsCatalogue || model.readsCatalogue) continue;
      test(`the gradient of ${loss} (${task}) is the same dense and by rows`, async () => {
        const dense = await gradientOf(model, wanted, { sparseTables: false, inits });
        const rows = await gradientOf(model, wanted, { sparseTables: true, inits });
        for (const [name, gradient] of dense) assertClose(rows.get(name)!, gradient, name, 1e-5, 1e-3);
      });
    }

    compressionContract(config);

    test('learns a checkerboard of users and items', { skip: learns === false }, async () => {
      for (const loss of ['softmax', 'sampled-softmax'] as const) {
        const order = await learnCheckerboard(config, loss, steps);
        assert.ok(order > 0.98, `${loss}: ${order} of the pairs in order`);
      }
    });
  });
}
