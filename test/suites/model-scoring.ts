import assert from 'node:assert/strict';
import { test } from 'node:test';
import { restoreModel } from '../../src/model/restore.js';
import { modelScorer, paramsScorer, scoreQueries } from '../../src/model/scorer.js';
import { modelAdapter, paramsAdapter } from '../../src/model/user-states.js';
import type { Query } from '../../src/types.js';
import { assertClose } from './assertions.js';
import { CATALOGUE, ITEMS } from './gradients.js';
import type { ModelCase, Subject } from './model-case.js';

/** Every way to scores gives the same ones. */
export function scoringContract({ model, inits, using }: Subject, { config }: ModelCase): void {
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

  test('scores without tensors are the same', { skip: !model.direct && !model.plain }, () =>
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
      const plain = model.plain?.(inits);
      const score = plain ? (query: Query) => plain.scores(plain.state(query)) : model.direct!(inits);
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
}
