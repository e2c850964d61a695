import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BackendName } from '../../src/compute/backend.js';
import { selectBackend } from '../../src/compute/select.js';
import { LOSSES } from '../../src/model/losses/index.js';
import { paramsScorer } from '../../src/model/scorer.js';
import { assertClose, assertNoLeak } from './assertions.js';
import { checkGradient, gradientOf, ITEMS, TRAININGS, taskOf, trainer } from './gradients.js';
import { learnCheckerboard } from './learning.js';
import type { ModelCase, Subject } from './model-case.js';

/** Its gradients are right, it learns, and nothing is left behind. */
export function trainingContract(
  backend: BackendName,
  { model, inits }: Subject,
  { config, steps, learns, approximate = false }: ModelCase,
): void {
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
    const dense = once(() => gradientOf(model, wanted, { sparseTables: false, inits }));
    if (backend === 'cpu') {
      test(
        `the gradient of ${loss} (${task}) equals finite differences`,
        {
          skip: approximate,
        },
        async () => checkGradient(model, wanted, inits, await dense()),
      );
    } else {
      test(`the gradient of ${loss} (${task}) equals the cpu backend's`, async () => {
        await selectBackend('cpu');
        const expected = await gradientOf(model, wanted, { sparseTables: false, inits });
        await selectBackend(backend);
        const found = await dense();
        for (const [name, gradient] of expected) assertClose(found.get(name)!, gradient, name, 1e-5, 1e-3);
      });
    }
    if (LOSSES[loss].readsCatalogue || model.readsCatalogue) continue;
    test(`the gradient of ${loss} (${task}) is the same dense and by rows`, async () => {
      const rows = await gradientOf(model, wanted, { sparseTables: true, inits });
      for (const [name, gradient] of await dense()) assertClose(rows.get(name)!, gradient, name, 1e-5, 1e-3);
    });
  }

  // The gradients of the other backends are the same.
  const skip = learns === false || backend !== 'cpu';
  test('learns a checkerboard of users and items', { skip }, async () => {
    for (const loss of ['softmax', 'sampled-softmax'] as const) {
      const order = await learnCheckerboard(config, loss, steps);
      assert.ok(order > 0.98, `${loss}: ${order} of the pairs in order`);
    }
  });
}

/** What `make` gives, made when it is first asked for. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
