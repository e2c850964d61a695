import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPTIMIZERS, type OptimizerName } from '../../src/compute/optimizers/index.js';
import type { GroupRate } from '../../src/compute/optimizers/optimizer.js';
import type { TensorMap } from '../../src/types.js';
import { assertClose } from './assertions.js';
import { type StepCase, stepper } from './step-case.js';
import { BATCH, OTHER } from './step-model.js';

/** Groups of parameters that learn at rates of their own. */
export function groupsContract(one: StepCase): void {
  const { using, after, start, gap } = stepper(one);

  const NAMES = ['table', 'matrix', 'bias'];
  const groups = { count: 3, of: (name: string): number => NAMES.indexOf(name) };
  const shares = (...of: number[]): GroupRate[] => of.map((share) => ({ share, since: 0 }));

  test('each group learns at its share of the rate; one of share 0 stays, and is not in the norm', async () => {
    for (const sparse of [false, true]) {
      for (const accumulate of [1, 2]) {
        const steps = [accumulate === 1 ? [BATCH] : [BATCH, OTHER]];
        const whole = await after({ sparse, accumulate }, steps);
        const same = await after({ sparse, accumulate, groups }, steps);
        for (const [name, { data }] of whole.tensors)
          assertClose(same.tensors.get(name)!.data, data, name, 1e-7);
        const apart = await after({ sparse, accumulate, groups }, steps, 0.1, () => shares(1, 0.25, 0));
        for (const [name, share] of [
          ['table', 1],
          ['matrix', 0.25],
          ['bias', 0],
        ] as const)
          assertClose(
            gap(apart.tensors, name),
            gap(whole.tensors, name).map((d) => share * d),
            name,
            1e-6,
          );
        assert.deepEqual(apart.tensors.get('bias')!.data, start.get('bias')!.data);
        const learning = ['table', 'matrix'].flatMap((name) => gap(whole.tensors, name));
        assertClose([apart.results[0]!.gradientNorm], [Math.hypot(...learning) / 0.1], 'norm', 1e-3);
        const clipNorm = apart.results[0]!.gradientNorm / 2;
        const clipped = await after({ sparse, accumulate, groups, clipNorm }, steps, 0.1, () =>
          shares(1, 1, 0),
        );
        assertClose(
          gap(clipped.tensors, 'table'),
          gap(whole.tensors, 'table').map((d) => d / 2),
          'clipped to what learns',
          1e-6,
        );
      }
    }
  });

  for (const optimizer of Object.keys(OPTIMIZERS) as OptimizerName[]) {
    test(`${optimizer}: a group that joins later has stayed as it was, and begins as with a new optimizer`, async () => {
      const from: TensorMap = new Map(
        [...start].map(([name, t]) => [name, { ...t, data: t.data.map(() => 1) }]),
      );
      const penalties = { l2: 0.1, l2Start: { strength: 0.2, from } };
      for (const sparse of [false, true]) {
        const options = { sparse, optimizer, groups, ...penalties };
        await using(options, async (step, store) => {
          const before = await step.export();
          await step.run([BATCH], 0.1, shares(0, 0, 1));
          await step.run([OTHER], 0.1, shares(0, 0, 1));
          const [state, tensors] = [await step.export(), await store.export()];
          for (const [name, { data }] of before)
            if (!/^(bias|step)/.test(name)) assert.deepEqual(state.get(name)!.data, data, name);
          // FTRL solves a weight anew from its sum: the last bit may differ.
          for (const name of ['table', 'matrix'])
            assertClose(
              tensors.get(name)!.data,
              start.get(name)!.data,
              name,
              optimizer === 'ftrl' ? 3e-7 : 0,
            );
          await step.run([BATCH], 0.1, [{ share: 0.5, since: 2 }, { share: 1, since: 2 }, ...shares(0)]);
          const joined = await store.export();
          await using(options, async (fresh, other) => {
            other.load(tensors);
            await fresh.run([BATCH], 0.1, shares(0.5, 1, 0));
            const alone = await other.export();
            for (const name of ['table', 'matrix'])
              assertClose(joined.get(name)!.data, alone.get(name)!.data, name, 1e-6);
            assert.notDeepEqual(joined.get('matrix'), tensors.get('matrix'));
          });
        });
      }
    });
  }

  test('rates for other than its groups are refused', () =>
    using({ groups }, async (step) => {
      await assert.rejects(step.run([BATCH], 0.1, shares(1, 1)), /2 rates for 3 groups/);
    }));
}
