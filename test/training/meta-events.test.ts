/**
 * Learning to adapt to events without values, on a family of tasks whose right answer is known: half of the users take red items, half blue
 * ones, each whichever of theirs. After a few events it is known which, and before any it is even odds.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { restoreModel } from '../../src/model/restore.js';
import { modelAdapter } from '../../src/model/user-states.js';
import { Random } from '../../src/random.js';
import { META_PRESETS, type MetaPresetName } from '../../src/training/meta/presets.js';
import { metaTrainSchema } from '../../src/training/meta/schema.js';
import { metaTrain } from '../../src/training/meta-train.js';
import type { StageHooks } from '../../src/training/stage.js';
import type { Query } from '../../src/types.js';
import { onBackend } from '../suites/backends.js';
import { catalogueOf, datasetOf, type Event, recordingContext } from '../suites/fixtures.js';

const HOOKS: StageHooks = { saveSnapshot: async () => {}, onEpoch() {} };
const ITEMS = 24;
const USERS = 128;
const TAKEN = 9;
const colour = (item: number): number => item % 2;

/** What one user takes, all of one colour, in an order of their own. */
function taken(rng: Random): number[] {
  const own = rng.int(2);
  const theirs = Int32Array.from({ length: ITEMS }, (_, i) => i + 1).filter((item) => colour(item) === own);
  return [...rng.shuffle(theirs)].slice(0, TAKEN);
}

async function trained(preset: MetaPresetName, more: object) {
  const rng = Random.of(3, 'family');
  const events: Event[] = [];
  for (let user = 1; user <= USERS; user++) for (const item of taken(rng)) events.push({ user, item });
  const config = metaTrainSchema.parse({
    ...{ data: 'x', loss: 'softmax', epochs: 40, batchSize: 32, optimizer: { learningRate: 0.02 } },
    model: { ...META_PRESETS[preset].model, feedback: 'events', width: 4, idDropout: 0, ...more },
    tasks: { least: TAKEN, query: 5, support: [1, 2, 4] },
    holdOut: { users: 0 },
  });
  const found = await metaTrain(
    config,
    datasetOf(catalogueOf(USERS, ITEMS), events),
    undefined,
    HOOKS,
    recordingContext(),
  );
  const { config: model, catalogue, tensors } = found;
  return restoreModel({ path: 'trained', manifest: { model: { config: model } }, catalogue, tensors });
}

/** How often an item of a new user's colour is above one of the other, of those they have not taken, after `given` events. */
async function told(learner: ReturnType<typeof restoreModel>, given: number): Promise<number> {
  const fresh = Random.of(4, 'new users');
  const users = Array.from({ length: 64 }, () => taken(fresh));
  const adapter = modelAdapter(learner);
  const queries = users.map(
    (items): Query => ({
      user: 0,
      items: Int32Array.from(items.slice(0, given)),
      behaviours: new Uint8Array(given),
    }),
  );
  const scores = await adapter.rank(await adapter.adapt(queries));
  adapter.dispose();
  let [right, all] = [0, 0];
  users.forEach((items, u) => {
    const row = scores.subarray(u * (ITEMS + 1), (u + 1) * (ITEMS + 1));
    const rest = Array.from({ length: ITEMS }, (_, i) => i + 1).filter((item) => !items.includes(item));
    for (const own of rest.filter((item) => colour(item) === colour(items[0]!)))
      for (const other of rest.filter((item) => colour(item) !== colour(items[0]!))) {
        all++;
        if (row[own]! > row[other]!) right++;
      }
  });
  return right / all;
}

const GRADIENTS = { hidden: [8], rate: 0.5, steps: 3, references: 8 };
const LEARNERS = [
  ['fold-in', {}],
  ['maml', GRADIENTS],
  ['fomaml', GRADIENTS],
  ['reptile', GRADIENTS],
  ['meta-sgd', GRADIENTS],
] as const;

onBackend('wasm', 'learning to adapt to events', () => {
  for (const [preset, more] of LEARNERS)
    test(`${preset} knows which items a new user takes after four, and not before the first`, async () => {
      const learner = await trained(preset, more);
      const [before, after] = [await told(learner, 0), await told(learner, 4)];
      assert.ok(Math.abs(before - 0.5) < 0.2, `${before} before any event`);
      assert.ok(after > 0.9, `${after} after four`);
    });
});
