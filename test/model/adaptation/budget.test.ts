import assert from 'node:assert/strict';
import { test } from 'node:test';
import { userStates } from '../../../src/model/adaptation/basis.js';
import { withinBudget } from '../../../src/model/adaptation/budget.js';
import { createModel, modelSchema } from '../../../src/model/registry.js';
import type { RestoredModel } from '../../../src/model/restore.js';
import { modelAdapter } from '../../../src/model/user-states.js';
import { Random } from '../../../src/random.js';
import type { Query } from '../../../src/types.js';
import { assertClose } from '../../suites/assertions.js';
import { onBackend } from '../../suites/backends.js';
import { richCatalogue, withNoise } from '../../suites/fixtures.js';

const catalogue = richCatalogue(4, 9);

function restored(config: Record<string, unknown>): RestoredModel {
  const parsed = modelSchema.parse({ width: 4, length: 6, ...config });
  const model = createModel(parsed, catalogue);
  return { model, config: parsed, catalogue, inits: withNoise(model.init(new Random(1)), 2) };
}
const byGradient = (more: Record<string, unknown> = {}) =>
  restored({ name: 'fast-weights', hidden: [4], rate: 0.05, steps: 3, ...more });

const rated = (user: number, ...items: number[]): Query => ({
  user,
  items: Int32Array.from(items),
  behaviours: new Uint8Array(items.length),
  values: Float32Array.from(items, (i) => i % 5),
});

function context() {
  const told: string[] = [];
  return { told, log: (level: string, message: string) => void told.push(`${level}: ${message}`) };
}

async function statesOf(model: RestoredModel, queries: readonly Query[]) {
  const adapter = modelAdapter(model);
  const states = await userStates(adapter, queries);
  adapter.dispose();
  return states;
}

onBackend('wasm', 'what adapting may cost', () => {
  test('as many gradient steps are taken as the budget says, and none leaves what was known before', async () => {
    const query = rated(0, 1, 2, 3);
    const [own] = await statesOf(byGradient(), [query]);
    for (const steps of [0, 1, 3, 5]) {
      const [state] = await statesOf(await withinBudget(byGradient(), { steps }, context()), [query]);
      const [expected] = await statesOf(byGradient({ steps }), [query]);
      assert.deepEqual(state, expected, `${steps} steps`);
      assert.equal(state!.basis, steps === 0 ? 'population' : 'events');
      assert.equal(
        steps === 3,
        state!.state.every((x, i) => x === own!.state[i]),
        `${steps} steps and 3`,
      );
    }
  });

  test('a time is kept by fewer steps, down to none, and where that is too slow a warning is given', async () => {
    const ample = context();
    const kept = await withinBudget(byGradient(), { milliseconds: 1e5 }, ample);
    assert.equal((kept.config as { steps: number }).steps, 3);
    assert.match(ample.told.join(), /info: adapting to a user with 3 of 3 gradient steps takes \d/);
    const narrow = context();
    const least = await withinBudget(byGradient(), { milliseconds: 1e-6 }, narrow);
    assert.equal((least.config as { steps: number }).steps, 0);
    assert.match(narrow.told.join(), /warn: budget.milliseconds: .* even without a gradient step, more than/);
    const closed = context();
    const whole = restored({ name: 'fold-in' });
    assert.equal(await withinBudget(whole, { milliseconds: 1e-6 }, closed), whole);
    assert.match(closed.told.join(), /warn: budget.milliseconds: .* ms, more than/);
  });

  test('steps of a model that takes none are refused', async () => {
    await assert.rejects(withinBudget(restored({ name: 'fold-in' }), { steps: 2 }, context()), {
      code: 'CONFIG_INVALID',
      message: /budget.steps: the model "fold-in" adapts without gradient steps/,
    });
  });

  test('a state says on what it rests', async () => {
    for (const model of [byGradient(), restored({ name: 'fold-in', center: 2 })]) {
      const states = await statesOf(model, [rated(1, 4, 5), rated(1), rated(0), rated(0, 4, 5)]);
      assert.deepEqual(
        states.map(({ events, basis }) => [events, basis]),
        [
          [2, 'events'],
          [0, 'user'],
          [0, 'population'],
          [2, 'events'],
        ],
        model.config.name,
      );
    }
    const diverging = byGradient({ rate: 1e6 });
    const [one] = await statesOf(diverging, [rated(0, 1, 2, 3)]);
    assert.deepEqual([one!.events, one!.basis], [3, 'population'], 'steps that diverged count for nothing');
  });

  test('dropping an event gives the state from before it, bit for bit', async () => {
    for (const model of [byGradient(), restored({ name: 'fold-in' })]) {
      const adapter = modelAdapter(model);
      const before = await adapter.adapt([rated(2, 4, 5)]);
      const after = await adapter.adapt([rated(2, 4, 5, 7)]);
      assert.notDeepEqual(after, before);
      assert.deepEqual(await adapter.adapt([rated(2, 4, 5)]), before, model.config.name);
      const copied = Float32Array.from(JSON.parse(JSON.stringify(Array.from(after))) as number[]);
      assertClose(await adapter.rank(copied), await adapter.rank(after), 'as JSON', 0, 0);
      adapter.dispose();
    }
  });
});
