/**
 * Every way to learn to adapt, on a family of tasks whose right answer is known. Items are red or blue; user u rates item i with
 * 3 + w_u c_i + noise, c_i = ±1, w_u from N(0, τ²). After n ratings the best guess of w_u is Σ c (value − 3) / (n + σ²/τ²), which is off by
 * σ² / (n + σ²/τ²) in the mean square; without any it is off by τ².
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileStep } from '../../src/compute/compile.js';
import { adam } from '../../src/compute/optimizers/adam.js';
import { ParameterStore } from '../../src/compute/parameters.js';
import { LOSSES } from '../../src/model/losses/index.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { modelAdapter } from '../../src/model/user-states.js';
import { Random } from '../../src/random.js';
import { META_PRESET_NAMES, META_PRESETS, type MetaPresetName } from '../../src/training/meta/presets.js';
import { taskBatches } from '../../src/training/meta/task-batches.js';
import { labelObjective } from '../../src/training/objective.js';
import { targetsSchema } from '../../src/training/schema.js';
import { trainRows } from '../../src/training/train-rows.js';
import type { Catalogue, FeatureTable, Query } from '../../src/types.js';
import { onBackend } from '../suites/backends.js';
import { catalogueOf, datasetOf, type Event, noFeatures } from '../suites/fixtures.js';

const ITEMS = 16;
const USERS = 256;
const CENTER = 3;
const SIGMA = 0.3;
const TAU = 1;
const GIVEN = 6;
const colour = (item: number): number => (item % 2 ? 1 : -1);

const colours: FeatureTable = {
  ...noFeatures(ITEMS + 1),
  width: 1,
  tokens: Int32Array.from({ length: ITEMS + 1 }, (_, i) => (i === 0 ? 0 : 1 + (i % 2))),
  tokenNames: ['', 'colour=blue', 'colour=red'],
};
const catalogue: Catalogue = catalogueOf(USERS, ITEMS, { itemFeatures: colours });

/** Ratings of one user: of all items, in an order of their own. */
function ratings(rng: Random): { taste: number; items: number[]; values: number[] } {
  const taste = TAU * rng.normal();
  const items = [...rng.shuffle(Int32Array.from({ length: ITEMS }, (_, i) => i + 1))];
  return { taste, items, values: items.map((i) => CENTER + taste * colour(i) + SIGMA * rng.normal()) };
}

const rng = Random.of(3, 'family');
const events: Event[] = [];
for (let user = 1; user <= USERS; user++) {
  const { items, values } = ratings(rng);
  items.forEach((item, i) => {
    events.push({ user, item, value: values[i]! });
  });
}
const rows = trainRows(datasetOf(catalogue, events), targetsSchema.parse({}), { center: CENTER });

/** A learner after `steps` steps on the family's users. */
async function trained(preset: MetaPresetName, steps: number) {
  const more = { width: 4, length: 8, center: CENTER, ...SMALL[META_PRESETS[preset].model.name] };
  const config = modelSchema.parse({ ...META_PRESETS[preset].model, ...more });
  const model = createModel(config, catalogue);
  const inits = model.init(Random.of(1, preset));
  const store = new ParameterStore(inits, model.constants());
  const step = compileStep({
    store,
    optimizer: adam(),
    loss: labelObjective(model, LOSSES.mse),
    clipNorm: 5,
    seed: 1,
    compile: false,
  });
  const source = taskBatches(
    rows,
    {
      users: Int32Array.from({ length: USERS }, (_, u) => u + 1),
      query: 8,
      order: 'random',
      support: [1, 3, 6, 8],
    },
    { length: model.length, batchSize: 32, seed: 1, negatives: { need: [], count: 0, items: ITEMS } },
  );
  for (let n = 0; n < steps; n++) {
    const epoch = Math.floor(n / source.batchesPerEpoch);
    await step.run([source.batch(epoch, n % source.batchesPerEpoch)], n < steps / 2 ? 0.02 : 0.005);
  }
  const tensors = await store.export();
  for (const [name, init] of inits)
    inits.set(name, { ...init, data: tensors.get(name)!.data as Float32Array });
  step.dispose();
  store.dispose();
  return { model, config, catalogue, inits };
}

const SMALL: Readonly<Record<string, object>> = {
  'fast-weights': { hidden: [8], rate: 0.1, steps: 3, idDropout: 0 },
  'fold-in': { idDropout: 0 },
  mlp: { hidden: [16, 8] },
  transformer: { width: 8, heads: 1, depth: 1 },
};

/** Mean squared error on what new users think of the items they have not rated, noise left out, after `given` ratings. */
async function error(learner: Awaited<ReturnType<typeof trained>>, given: number): Promise<number> {
  const fresh = Random.of(4, 'new users');
  const users = Array.from({ length: 64 }, () => ratings(fresh));
  const adapter = modelAdapter(learner);
  const queries = users.map(
    ({ items, values }): Query => ({
      user: 0,
      items: Int32Array.from(items.slice(0, given)),
      behaviours: new Uint8Array(given),
      values: Float32Array.from(values.slice(0, given)),
    }),
  );
  const asked = Int32Array.from(users.flatMap(({ items }) => items.slice(GIVEN)));
  const said = await adapter.rate(await adapter.adapt(queries), asked, ITEMS - GIVEN);
  adapter.dispose();
  let sum = 0;
  asked.forEach((item, i) => {
    const { taste } = users[Math.floor(i / (ITEMS - GIVEN))]!;
    sum += (said[i]! - CENTER - taste * colour(item)) ** 2;
  });
  return sum / asked.length;
}

const STEPS: Partial<Record<MetaPresetName, number>> = { 'in-context': 400, 'neural-process': 400 };

onBackend('wasm', 'learning to adapt', () => {
  for (const preset of META_PRESET_NAMES)
    test(`${preset} finds a new user’s taste from ${GIVEN} ratings, as well as can be told`, async () => {
      const learner = await trained(preset, STEPS[preset] ?? 200);
      const [without, after] = [await error(learner, 0), await error(learner, GIVEN)];
      const best = SIGMA ** 2 / (GIVEN + (SIGMA / TAU) ** 2);
      if (preset === 'attributes') {
        assert.ok(Math.abs(after - without) < 1e-4, `events change nothing: ${without} → ${after}`);
        return;
      }
      assert.ok(after < best + 0.1 * TAU ** 2, `off by ${after} where ${best} is the best`);
      assert.ok(
        without > 0.5 * TAU ** 2,
        `off by ${without} without a rating, where ${TAU ** 2} is the best`,
      );
    });
});
