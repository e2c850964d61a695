import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParameterStore } from '../../src/compute/parameters.js';
import { attacked, randomDirections, steepest } from '../../src/evaluation/attack.js';
import { evaluationTask, type Task } from '../../src/evaluation/task.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import type { RestoredModel } from '../../src/model/restore.js';
import { scoreQueries } from '../../src/model/scorer.js';
import { itemTables } from '../../src/model/weights.js';
import { Random } from '../../src/random.js';
import { assertClose, assertNoLeak } from '../suites/assertions.js';
import { onBackend, onEachBackend } from '../suites/backends.js';
import { makeDataset, type Row, silent } from './fixture.js';

const ITEMS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const WIDTH = 4;
/** Five users, of whom one has two targets. */
const ROWS: Row[] = ['u', 'v', 'w', 'x', 'y'].flatMap((user, u): Row[] => [
  ...[0, 1, 2].map((n): Row => [user, ITEMS[(u * 2 + n * 3) % 7]!, 'train']),
  [user, ITEMS[(u + 4) % 7]!, 'test'],
  ...(u === 0 ? [[user, 'd', 'test'] as Row] : []),
]);
const DATASET = makeDataset(ROWS, { items: ITEMS });
const SETTINGS = { part: 'test', ks: [2], filterSeen: false, seed: 3 } as const;
const TASK = evaluationTask(DATASET, SETTINGS);
const TRANSFORMER = { name: 'transformer', width: WIDTH, depth: 1, heads: 1, length: 4 };

function modelOf(config: object, catalogue = DATASET.catalogue): RestoredModel {
  const parsed = modelSchema.parse(config);
  const model = createModel(parsed, catalogue);
  const inits = new Map(
    [...model.init(new Random(5))].map(([name, init]) => [
      name,
      // Larger than a new model's, whose scores hardly differ.
      itemTables(new Map([[name, init]])).length > 0 ? { ...init, data: init.data.map((x) => 3 * x) } : init,
    ]),
  );
  return { model, config: parsed, catalogue, inits };
}

/** Mean over the questions of the mean over their targets of −log softmax, from the scores. */
async function lossOf(
  restored: RestoredModel,
  { evaluation }: Task,
  items: readonly string[],
): Promise<number> {
  const { queries, targets } = evaluation;
  const width = restored.catalogue.items.length;
  const store = new ParameterStore(restored.inits, restored.model.constants());
  const scores = await scoreQueries(restored.model, store.reader(), queries);
  store.dispose();
  let sum = 0;
  queries.forEach((_, q) => {
    const row = scores.subarray(q * width + 1, (q + 1) * width);
    const total = Math.log(row.reduce((s, x) => s + Math.exp(x), 0));
    const losses = Array.from(
      targets[q]!,
      (item) => total - row[restored.catalogue.items.indexOf(items[item]!) - 1]!,
    );
    sum += losses.reduce((a, b) => a + b, 0) / losses.length;
  });
  return sum / queries.length;
}

const shifted = (restored: RestoredModel, table: string, change: (value: number, at: number) => number) => ({
  ...restored,
  inits: new Map(restored.inits).set(table, {
    ...restored.inits.get(table)!,
    data: restored.inits.get(table)!.data.map(change),
  }),
});

onEachBackend('the attack of an evaluation', (backend) => {
  test('moves each row along the slopes of the questions’ loss, tied and untied', async () => {
    for (const tied of [true, false]) {
      const restored = modelOf({ ...TRANSFORMER, tied });
      const tables = itemTables(restored.inits);
      const found = steepest(restored, tables, 'm', TASK, silent);
      for (const table of tables) {
        const at = restored.inits.get(table)!.data;
        const slopes: number[] = [];
        for (let i = 0; i < at.length; i++) {
          const loss = (by: number) =>
            lossOf(
              shifted(restored, table, (v, k) => (k === i ? v + by : v)),
              TASK,
              DATASET.catalogue.items,
            );
          slopes.push(i < WIDTH ? 0 : ((await loss(0.01)) - (await loss(-0.01))) / 0.02);
        }
        for (let row = 0; row < at.length; row += WIDTH) {
          const own = slopes.slice(row, row + WIDTH);
          const length = Math.hypot(...own);
          if (length < 1e-3) continue;
          assertClose(
            found.get(table)!.subarray(row, row + WIDTH),
            own.map((s) => s / length),
            `${table}, row ${row / WIDTH}`,
            0.03,
          );
        }
        assert.deepEqual([...found.get(table)!.subarray(0, WIDTH)], [0, 0, 0, 0], 'padding stays');
      }
    }
  });

  test('costs more than a random one of its length; repeats; leaves the model and no tensor', async () => {
    const restored = modelOf({ name: 'linear', width: WIDTH, length: 4 });
    const before = [...restored.inits].map(([name, { data }]) => [name, Float32Array.from(data)] as const);
    const options = { epsilon: [0.1, 5], resamples: 100, context: silent };
    await assertNoLeak(backend, async () => {
      const attacks = (await attacked(restored, 'm', TASK, options))!;
      assert.deepEqual(attacks, await attacked(restored, 'm', TASK, options));
      const [small, large] = attacks;
      assert.deepEqual([small!.epsilon, large!.epsilon], [0.1, 5]);
      const ndcg = ({ metrics }: { metrics: Record<string, number> }): number => metrics['ndcg@2']!;
      assert.ok(ndcg(small!.adversarial) < ndcg(small!.random), JSON.stringify(attacks));
      assert.notDeepEqual(small!.adversarial, large!.adversarial);
      assert.notDeepEqual(small!.random, large!.random);
      assert.equal(large!.adversarial.intervals['ndcg@2']!.mean, ndcg(large!.adversarial));
    });
    for (const [name, data] of before) assert.deepEqual(restored.inits.get(name)!.data, data, name);
  });
});

onBackend('cpu', 'the attack of an evaluation', () => {
  test('a model without item vectors is not attacked', async () => {
    const options = { epsilon: [1], resamples: 100, context: silent };
    const sparse = modelOf({ name: 'sparse-linear', length: 4, neighbours: 2 });
    assert.equal(await attacked(sparse, 'm', TASK, options), undefined);
  });

  test('a model of other numbers is asked in its own: what it does not know says nothing', async () => {
    // The same items and users in another order, without a, which is the target of one question.
    const other = makeDataset([...ROWS].reverse(), {
      items: [...ITEMS].reverse().filter((id) => id !== 'a'),
    });
    const restored = modelOf(TRANSFORMER, other.catalogue);
    const [table] = itemTables(restored.inits);
    const { queries, targets } = TASK.evaluation;
    const a = DATASET.catalogue.items.indexOf('a');
    const own = (item: number): number => other.catalogue.items.indexOf(DATASET.catalogue.items[item]!);
    const translated: Task = {
      ...TASK,
      dataset: other,
      evaluation: {
        queries: queries.map((query) => {
          const known = Array.from(query.items, (_, i) => i).filter((i) => query.items[i] !== a);
          return {
            user: other.catalogue.users.indexOf(DATASET.catalogue.users[query.user]!),
            items: Int32Array.from(known, (i) => own(query.items[i]!)),
            behaviours: Uint8Array.from(known, () => 0),
          };
        }),
        targets: targets.map((of) => of.filter((item) => item !== a).map(own)),
        seen: [],
      },
    };
    assert.ok(targets.some((of) => of.includes(a)));
    const mapped = steepest(restored, [table!], 'm', TASK, silent);
    const direct = steepest(restored, [table!], 'm', translated, silent);
    assertClose(mapped.get(table!)!, [...direct.get(table!)!], 'directions', 1e-5);
    const options = { epsilon: [1], resamples: 100, context: silent };
    assert.ok(await attacked(restored, 'm', TASK, options));
  });

  test('random directions are of length 1 too, where the attack has one', () => {
    const restored = modelOf(TRANSFORMER);
    const like = new Map([['item.embedding', new Float32Array(8 * WIDTH).fill(1, WIDTH, 7 * WIDTH)]]);
    const found = randomDirections(like, restored, 1).get('item.embedding')!;
    const lengths = Array.from({ length: 8 }, (_, row) =>
      Math.hypot(...found.subarray(row * WIDTH, (row + 1) * WIDTH)),
    );
    assertClose(lengths, [0, 1, 1, 1, 1, 1, 1, 0], 'lengths', 1e-6);
    assert.notDeepEqual(found, randomDirections(like, restored, 2).get('item.embedding'));
  });

  test('an aborted one stops', async () => {
    const context = { ...silent, signal: AbortSignal.abort() };
    const options = { epsilon: [1], resamples: 100, context };
    await assert.rejects(attacked(modelOf(TRANSFORMER), 'm', TASK, options), { code: 'INTERRUPTED' });
  });
});
