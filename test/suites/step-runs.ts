import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TensorMap } from '../../src/types.js';
import { assertClose, assertSameTensors } from './assertions.js';
import { type StepCase, stepper } from './step-case.js';
import { BATCH, batchOf, dropped, OTHER, WIDTH } from './step-model.js';

/** Steps one after another: accumulated, averaged, repeated, resumed. */
export function runsContract(one: StepCase): void {
  const { using, after, start, gap } = stepper(one);

  test('two half batches accumulated make the step of the whole one', async () => {
    // The loss is a mean over rows: halves of equal size weigh the same. (A weighted mean would need equal weight sums.)
    const halves = [batchOf([1, 2], [3, 2]), batchOf([2, 4], [5, 3])];
    const whole = batchOf([1, 2, 2, 4], [3, 2, 5, 3]);
    const uneven = [batchOf([1, 2, 2], [3, 2, 5]), batchOf([4], [3])];
    for (const sparse of [false, true]) {
      for (const optimizer of ['sgd', 'adamw', 'ftrl'] as const) {
        const one = await after({ sparse, optimizer, clipNorm: 1 }, [[whole], [whole]]);
        const two = await after({ sparse, optimizer, clipNorm: 1, accumulate: 2 }, [halves, halves]);
        assertClose(
          two.results.map((r) => r.loss),
          one.results.map((r) => r.loss),
          'loss',
          1e-4,
        );
        assertClose(
          two.results.map((r) => r.gradientNorm),
          one.results.map((r) => r.gradientNorm),
          'norm',
          1e-4,
        );
        for (const [name, { data }] of one.tensors)
          assertClose(two.tensors.get(name)!.data, data, name, 2e-5);
        const fewer = await after({ sparse, optimizer, clipNorm: 1, accumulate: 3 }, [halves, [whole]]);
        for (const [name, { data }] of one.tensors)
          assertClose(fewer.tensors.get(name)!.data, data, `${name}, fewer batches than declared`, 2e-5);
        const other = await after({ sparse, optimizer, clipNorm: 1, accumulate: 2 }, [uneven]);
        assert.notDeepEqual(
          gap(other.tensors, 'matrix'),
          gap(one.tensors, 'matrix'),
          'halves of unequal size differ',
        );
      }
    }
  });

  test('a step that fails leaves nothing behind of the batches it had run', async () => {
    for (const sparse of [false, true]) {
      const options = { sparse, optimizer: 'adam' as const, accumulate: 2 };
      const untouched = await after(options, [[BATCH, OTHER]]);
      const broken = { ...OTHER, aim: { ...OTHER.aim!, data: new Float32Array(7) } };
      await using(options, async (step, store) => {
        step.prepare([BATCH]);
        await assert.rejects(step.run([BATCH, broken], 0.1));
        assert.equal(step.count, 1);
        const state = await step.export();
        step.load(new Map([...state, ['step', { dtype: 'I32', shape: [1], data: Int32Array.of(0) }]]));
        await step.run([BATCH, OTHER], 0.1);
        assertSameTensors(await store.export(), untouched.tensors, `sparse: ${sparse}`);
      });
    }
  });

  test('averages are those of the weights after each step, the later weighing more, and lent for a while', async () => {
    const ema = 0.7;
    // Rows 4 and 5 stand still at first, row 1 in the middle.
    const steps = [
      [batchOf([1, 2, 2, 0], [3, 2, 0, 3])],
      [batchOf([4, 3, 3, 2], [3, 5, 2, 5])],
      [batchOf([1, 2, 2, 3], [3, 2, 4, 3])],
    ];
    const frozen = (name: string): boolean => name === 'bias';
    for (const sparse of [false, true]) {
      for (const accumulate of [1, 2]) {
        await using({ sparse, ema, frozen, accumulate, optimizer: 'adamw' }, async (step, store) => {
          const nothing = await step.averaged(() => store.export());
          assertSameTensors(nothing, await store.export(), 'before the first step: the weights');
          const seen: TensorMap[] = [];
          for (const micro of steps) {
            await step.run(micro, 0.1);
            seen.push(await store.export());
          }
          const lent = await step.averaged(() => store.export());
          assertSameTensors(await store.export(), seen.at(-1)!, 'given back');
          for (const [name, { data }] of lent) {
            const [a, b, c] = seen.map((s) => s.get(name)!.data);
            const sum = ema ** 2 + ema + 1;
            const expected = Array.from(data, (_, i) => (ema ** 2 * a![i]! + ema * b![i]! + c![i]!) / sum);
            assertClose(data, expected, `${name}, sparse: ${sparse}, accumulate: ${accumulate}`, 1e-6);
          }
          assert.deepEqual(lent.get('bias')!.data, start.get('bias')!.data);
          await assert.rejects(
            step.averaged(() => Promise.reject(new Error('validation failed'))),
            /validation failed/,
          );
          assertSameTensors(await store.export(), seen.at(-1)!, 'given back after a failure');
          await step.run(steps[0]!, 0.1);
          const { tensors } = await after({ sparse, frozen, accumulate, optimizer: 'adamw' }, [
            ...steps,
            steps[0]!,
          ]);
          assertSameTensors(await store.export(), tensors, 'the steps are those without averages');
        });
      }
    }
  });

  test('the same seed repeats bit for bit, another seed draws other dropout', async () => {
    const steps = [[BATCH], [OTHER], [BATCH]];
    const options = { loss: dropped, optimizer: 'adam' as const };
    for (const sparse of [false, true]) {
      const one = await after({ ...options, sparse, seed: 7 }, steps);
      const two = await after({ ...options, sparse, seed: 7 }, steps);
      assertSameTensors(two.tensors, one.tensors, 'same seed');
      assert.deepEqual(two.results, one.results);
      const other = await after({ ...options, sparse, seed: 8 }, steps);
      assert.notDeepEqual(other.results, one.results);
    }
  });

  test('dropout differs from step to step and is off in evaluate', () =>
    using({ loss: dropped }, async (step) => {
      const losses = [];
      for (let n = 0; n < 4; n++) losses.push((await step.run([OTHER], 0)).loss);
      assert.ok(new Set(losses).size > 1, `four masks gave ${losses}`);
      const plain = await using({}, (s) => s.evaluate(OTHER));
      assertClose([await step.evaluate(OTHER)], [plain], 'evaluate');
      assert.equal(await step.evaluate(OTHER), await step.evaluate(OTHER));
    }));

  test('batches of other sizes can follow one another', async () => {
    const small = batchOf([5], [4]);
    const { tensors } = await after({ sparse: true, optimizer: 'adagrad' }, [
      [BATCH],
      [small],
      [BATCH],
      [small],
    ]);
    assert.ok(
      gap(tensors, 'table')
        .slice(5 * WIDTH)
        .every((d) => d !== 0),
    );
  });

  test('optimizer state of another shape or without a tensor is refused by name', () =>
    using({ optimizer: 'adam', sparse: true }, async (step) => {
      const state = await step.export();
      const without = new Map([...state].filter(([name]) => name !== 'bias/v'));
      assert.throws(() => step.load(without), {
        code: 'CHECKPOINT_INCOMPATIBLE',
        message: /bias\/v.*missing/,
      });
      for (const name of ['table/m', 'matrix/m']) {
        const cut = new Map([
          ...state,
          [name, { dtype: 'F32' as const, shape: [2, 2], data: new Float32Array(4) }],
        ]);
        assert.throws(() => step.load(cut), {
          code: 'CHECKPOINT_INCOMPATIBLE',
          message: new RegExp(`${name}.*\\[2,2\\]`),
        });
      }
    }));
}
