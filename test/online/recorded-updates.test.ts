import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPTIMIZER_NAMES } from '../../src/compute/optimizers/index.js';
import { selectBackend } from '../../src/compute/select.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import type { LearnExample, OnlineLearner } from '../../src/online/learner.js';
import { modelLearner } from '../../src/online/model-learner.js';
import { learningSchema } from '../../src/online/schema.js';
import { Random } from '../../src/random.js';
import { catalogue, NOW } from './fixtures.js';

const native = (await selectBackend()).name === 'tensorflow';
const skip = { skip: !native && 'only the native backend records' };
const KNOWN = catalogue(3, 25);

async function learnerOn(
  backend: 'cpu' | 'tensorflow',
  over: object = {},
  name = 'transformer',
): Promise<OnlineLearner> {
  await selectBackend(backend);
  const size = name === 'transformer' ? { depth: 1, heads: 2, dropout: 0 } : {};
  const config = modelSchema.parse({ name, width: 8, length: 6, ...size });
  const model = createModel(config, KNOWN);
  return modelLearner(
    { model, config, catalogue: KNOWN, inits: model.init(new Random(1)) },
    learningSchema.parse({ negatives: 5, learningRate: 0.05, ...over }),
    3,
  );
}

/** Updates of 1, 3, 4 and 2 events; histories of 0 to 8. */
function updates(seed: number): LearnExample[][] {
  const random = Random.of(seed, 'updates');
  let n = 0;
  return [1, 3, 4, 2].map((size) =>
    Array.from({ length: size }, (): LearnExample => {
      const length = random.int(9);
      const item = 1 + random.int(25);
      n++;
      return {
        seq: n,
        event: {
          ...{ id: `e${n}`, user: 'x', item: `i${item}`, behaviour: 'view', time: NOW },
          value: random.normal(),
        },
        query: {
          user: random.int(4),
          items: Int32Array.from({ length }, () => 1 + random.int(25)),
          behaviours: new Uint8Array(length),
        },
        ...{ item, behaviour: 0, weight: 0.5 + random.uniform(), known: 26 },
      };
    }),
  );
}

for (const [name, loss] of [
  ['transformer', 'softmax'],
  ['transformer', 'mse'],
  ['gru', 'bce'],
] as const)
  for (const optimizer of OPTIMIZER_NAMES)
    test(`${name}, ${loss}, ${optimizer}: with recorded gradients as op by op`, skip, async () => {
      const over = { loss, optimizer, maxUpdateNorm: 1 };
      const parts: (readonly [string, ArrayLike<number>])[][] = [];
      for (const backend of ['cpu', 'tensorflow'] as const) {
        const learner = await learnerOn(backend, over, name);
        assert.equal(learner.arithmetic !== undefined, backend === 'tensorflow');
        const found: (readonly [string, ArrayLike<number>])[] = [];
        for (const [k, batch] of updates(1).entries()) {
          const said = await learner.learn(batch, ({ loss, gradientNorm }) => {
            found.push([`update ${k}`, [loss, gradientNorm]]);
            return k === 1 ? 'not this one' : undefined;
          });
          assert(said.every(({ status }) => status === (k === 1 ? 'skipped' : 'learned')));
        }
        const { parameters, optimizer: state } = await learner.snapshot();
        for (const [name, { data }] of [...parameters, ...state]) found.push([name, data]);
        parts.push(found);
        learner.dispose();
      }
      const [expected, found] = parts;
      for (const [k, [what, values]] of expected!.entries()) {
        assert.equal(found![k]![0], what);
        for (let i = 0; i < values.length; i++) {
          const [a, b] = [found![k]![1][i]!, values[i]!];
          assert(Math.abs(a - b) <= 2e-3 * (0.05 + Math.abs(b)), `${what}[${i}]: ${a} for ${b}`);
        }
      }
    });

test('asked or not, kept on or restored in between: equal bits', skip, async () => {
  const straight = await learnerOn('tensorflow');
  const other = await learnerOn('tensorflow');
  const after = await learnerOn('tensorflow');
  const queries = updates(2).flatMap((batch) => batch.map(({ query }) => query));
  const all = [...updates(1), ...updates(4)];
  for (const batch of all) await straight.learn(batch);
  for (const [k, batch] of all.entries()) {
    if (k === 3) after.restore(await other.snapshot());
    await other.score(queries.slice(0, 1 + k));
    await other.learn(batch);
    await other.learn(batch, () => 'refused');
    if (k >= 3) await after.learn(batch);
  }
  const expected = await straight.snapshot();
  assert.deepEqual(await other.snapshot(), expected);
  assert.deepEqual(await after.snapshot(), expected);
  for (const one of [straight, other, after]) one.dispose();
});
