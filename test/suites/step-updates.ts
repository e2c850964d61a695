import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { compileStep } from '../../src/compute/compile.js';
import { OPTIMIZERS, type OptimizerName } from '../../src/compute/optimizers/index.js';
import { type ParameterInits, ParameterStore } from '../../src/compute/parameters.js';
import type { StepOptions } from '../../src/compute/step.js';
import type { TensorMap } from '../../src/types.js';
import { assertClose, assertNoLeak, assertSameTensors } from './assertions.js';
import { type StepCase, stepper } from './step-case.js';
import { BATCH, batchOf, dropped, inits, OTHER, WIDTH } from './step-model.js';

/** What one step makes of gradients: by hand, by rows and dense, with what is added to them and taken off. */
export function updatesContract(one: StepCase): void {
  const { compile } = one;
  const { using, after, afterOther, start, gap } = stepper(one);

  test('a step is −rate × gradient, by hand', async () => {
    const only: ParameterInits = new Map([['w', { shape: [2], data: Float32Array.of(3, -1), table: false }]]);
    const store = new ParameterStore(only);
    const loss: StepOptions['loss'] = (params, { x }) =>
      tf.square(tf.sub(tf.sum(tf.mul(params.get('w'), x!)), 2)) as tf.Scalar;
    const step = compileStep({ store, optimizer: OPTIMIZERS.sgd(), loss, seed: 1, compile });
    const x = { dtype: 'F32' as const, shape: [2], data: Float32Array.of(2, 1) };
    // w·x − 2 = 3: loss 9, gradient 2 · 3 · (2, 1), norm 6·√5.
    const { loss: value, gradientNorm } = await step.run([{ x }], 0.05);
    assertClose([value, gradientNorm], [9, 6 * Math.sqrt(5)], 'loss and norm');
    assertClose((await store.export()).get('w')!.data, [3 - 0.05 * 12, -1 - 0.05 * 6], 'w');
    assertClose([await step.evaluate({ x })], [(2.4 * 2 - 1.3 - 2) ** 2], 'evaluate sees the update');
    assert.equal(step.count, 1);
    step.dispose();
    store.dispose();
  });

  for (const optimizer of Object.keys(OPTIMIZERS) as OptimizerName[]) {
    test(`${optimizer}: tables by rows and dense ones get equal updates, with ids repeated in and across lookups`, async () => {
      // Every batch touches every row: lazy Adam would keep the moments of one that is left out.
      const steps = [
        [batchOf([1, 2, 2, 4], [3, 2, 5, 3])],
        [batchOf([3, 4, 5, 1], [1, 1, 2, 2])],
        [batchOf([5, 4, 3, 3], [2, 2, 1, 1])],
      ];
      const dense = await after({ optimizer, clipNorm: 1 }, steps);
      const rows = await after({ optimizer, clipNorm: 1, sparse: true }, steps);
      for (const [n, { loss, gradientNorm }] of dense.results.entries()) {
        const { loss: otherLoss, gradientNorm: otherNorm } = rows.results[n]!;
        assertClose([otherLoss, otherNorm], [loss, gradientNorm], `step ${n + 1}`, 1e-4, 1e-4);
      }
      for (const [name, { data }] of dense.tensors) {
        // Dense, the padding row decays as others do.
        const from = name === 'table' ? WIDTH : 0;
        assertClose(rows.tensors.get(name)!.data.slice(from), data.slice(from), name, 2e-5);
      }
    });
  }

  test('the padding row never trains in a table held by rows; dense, it is a row like others', async () => {
    const rows = await after({ sparse: true, optimizer: 'adamw', l2: 0.1 }, [[BATCH], [BATCH]]);
    assert.deepEqual(gap(rows.tensors, 'table').slice(0, WIDTH), [0, 0, 0]);
    assert.ok(
      gap(rows.tensors, 'table')
        .slice(WIDTH, 2 * WIDTH)
        .every((d) => d !== 0),
    );
    const dense = await after({}, [[BATCH]]);
    assert.ok(
      gap(dense.tensors, 'table')
        .slice(0, WIDTH)
        .every((d) => d !== 0),
    );
    const alone = await after({ sparse: true }, [[BATCH]]);
    assert.ok(
      alone.results[0]!.gradientNorm < dense.results[0]!.gradientNorm,
      'nor does it count in the norm',
    );
  });

  const moved = (table: Float32Array, gradient: number[], epsilon: number): Float32Array =>
    table.map((v, i) => {
      const row = Math.floor(i / WIDTH);
      const length = Math.hypot(...gradient.slice(row * WIDTH, (row + 1) * WIDTH));
      return row === 0 || length === 0 ? v : v + (epsilon * gradient[i]!) / length;
    });

  for (const sparse of [false, true])
    for (const frozen of [[], ['table'], ['matrix']])
      test(`an adversary adds the gradient at the moved table (${sparse ? 'by rows' : 'dense'}, frozen: ${frozen})`, async () => {
        const epsilon = 0.7;
        const weight = 0.4;
        const loss = dropped;
        const slopes = async (table?: Float32Array) => {
          const changed = new Map(inits());
          if (table) changed.set('table', { ...changed.get('table')!, data: table });
          const store = new ParameterStore(changed, new Map());
          const step = compileStep({ store, optimizer: OPTIMIZERS.sgd(), loss, seed: 1, compile: false });
          const before = await store.export();
          const said = await step.run([BATCH], 1);
          const now = await store.export();
          step.dispose();
          store.dispose();
          const gradients = new Map(
            [...before].map(([name, { data }]) => [
              name,
              Array.from(data, (v, i) => v - now.get(name)!.data[i]!),
            ]),
          );
          return { loss: said.loss, gradients };
        };
        const plain = await slopes();
        const table = moved(inits().get('table')!.data, plain.gradients.get('table')!, epsilon);
        const attacked = await slopes(table);
        assert.ok(attacked.loss > plain.loss, 'the table is moved where the loss grows');
        const adversary = { tables: ['table'], epsilon, weight };
        const freeze = (name: string): boolean => frozen.includes(name);
        const found = await after({ sparse, loss, adversary, frozen: freeze }, [[BATCH]], 1);
        assertClose([found.results[0]!.loss], [plain.loss + weight * attacked.loss], 'loss', 1e-4, 1e-4);
        for (const name of start.keys()) {
          const wanted = plain.gradients
            .get(name)!
            .map((g, i) => -g - weight * attacked.gradients.get(name)![i]!);
          if (sparse && name === 'table') wanted.fill(0, 0, WIDTH);
          if (freeze(name)) wanted.fill(0);
          assertClose(gap(found.tensors, name), wanted, name, 1e-4, 1e-4);
        }
      });

  test('with an adversary, micro-batches are attacked one by one, and no tensor is left behind', async () => {
    const adversary = { tables: ['table'], epsilon: 0.5, weight: 1 };
    for (const sparse of [false, true]) {
      const both = await after({ sparse, adversary, accumulate: 2 }, [[BATCH, OTHER]]);
      const [first, second] = [
        await after({ sparse, adversary }, [[BATCH]]),
        await after({ sparse, adversary }, [[OTHER]]),
      ];
      for (const name of start.keys())
        assertClose(
          gap(both.tensors, name),
          gap(first.tensors, name).map((d, i) => (d + gap(second.tensors, name)[i]!) / 2),
          name,
          1e-5,
        );
      await assertNoLeak(`sparse: ${sparse}`, async () => {
        await after({ sparse, adversary }, [[BATCH], [OTHER]]);
      });
    }
  });

  test('clipping scales the whole gradient to the norm, and leaves a smaller one alone', async () => {
    for (const sparse of [false, true]) {
      const free = await after({ sparse }, [[BATCH]]);
      const norm = free.results[0]!.gradientNorm;
      const clipped = await after({ sparse, clipNorm: norm / 4 }, [[BATCH]]);
      assertClose([clipped.results[0]!.gradientNorm], [norm], 'the norm reported is the one before clipping');
      for (const name of start.keys()) {
        assertClose(
          gap(clipped.tensors, name),
          gap(free.tensors, name).map((d) => d / 4),
          name,
          1e-6,
        );
      }
      const all = [...start.keys()].flatMap((name) => gap(clipped.tensors, name));
      assertClose([Math.hypot(...all) / 0.1], [norm / 4], 'global norm', 1e-4);
      const loose = await after({ sparse, clipNorm: norm * 2 }, [[BATCH]]);
      for (const name of start.keys())
        assertClose(gap(loose.tensors, name), gap(free.tensors, name), name, 1e-6);
    }
  });

  test('l2 pulls matrices and the rows touched towards 0, and no bias', async () => {
    const l2 = 0.3;
    const rate = 0.1;
    for (const sparse of [false, true]) {
      const without = await after({ sparse }, [[OTHER]], rate);
      const penalised = await after({ sparse, l2 }, [[OTHER]], rate);
      assert.deepEqual(penalised.tensors.get('bias'), without.tensors.get('bias'));
      for (const name of ['matrix', 'table']) {
        const pulled = Array.from(
          penalised.tensors.get(name)!.data,
          (v, i) => v - without.tensors.get(name)!.data[i]!,
        );
        const expected = Array.from(start.get(name)!.data, (v) => -rate * l2 * v);
        // OTHER reads all rows but padding: dense decays that one too.
        const from = name === 'table' ? WIDTH : 0;
        assertClose(pulled.slice(from), expected.slice(from), `${name}, sparse: ${sparse}`, 1e-6);
      }
    }
  });

  test('l2Start pulls all that trains to where it started, but rows and parameters that had no start', async () => {
    const strength = 0.3;
    const rate = 0.1;
    const from: TensorMap = new Map([
      ['table', { dtype: 'F32', shape: [5, WIDTH], data: new Float32Array(5 * WIDTH).fill(0.25) }],
      ['matrix', { dtype: 'F32', shape: [WIDTH, WIDTH], data: start.get('matrix')!.data.map((w) => w + 1) }],
      ['bias', { dtype: 'F32', shape: [WIDTH], data: start.get('bias')!.data.map((w) => w - 2) }],
    ]);
    for (const sparse of [false, true]) {
      for (const accumulate of [1, 2]) {
        const steps = [accumulate === 1 ? [OTHER] : [OTHER, OTHER]];
        const options = { sparse, accumulate, l2: 0.2 };
        const without = await after(options, steps, rate);
        const pulled = await after({ ...options, l2Start: { strength, from } }, steps, rate);
        for (const [name, { data }] of from) {
          const now = pulled.tensors.get(name)!.data;
          const moved = Array.from(now, (w, i) => w - without.tensors.get(name)!.data[i]!);
          const expected = Array.from(data, (w, i) => -rate * strength * (start.get(name)!.data[i]! - w));
          // Held by rows, padding is read by nothing; row 5 is new.
          const first = name === 'table' && sparse ? WIDTH : 0;
          assertClose(
            moved.slice(first, data.length),
            expected.slice(first),
            `${name}, sparse: ${sparse}`,
            1e-6,
          );
          assertClose(
            moved.slice(data.length),
            moved.slice(data.length).map(() => 0),
            'new rows',
            1e-7,
          );
        }
        assert.deepEqual(
          pulled.results[0]!.gradientNorm,
          without.results[0]!.gradientNorm,
          'not in the norm',
        );
        from.delete('bias');
        const left = await after({ ...options, l2Start: { strength, from } }, steps, rate);
        assert.deepEqual(left.tensors.get('bias'), without.tensors.get('bias'), 'no start, no pull');
        from.set('bias', { dtype: 'F32', shape: [WIDTH], data: start.get('bias')!.data.map((w) => w - 2) });
      }
    }
  });

  test('with importance, l2Start pulls each weight by its own', async () => {
    const [strength, rate] = [0.3, 0.1];
    const known = (name: string) => (name === 'table' ? 5 * WIDTH : start.get(name)!.data.length);
    const from: TensorMap = new Map(
      [...start].map(([name, { shape, data }]) => [
        name,
        {
          dtype: 'F32',
          shape: name === 'table' ? [5, WIDTH] : shape,
          data: data.slice(0, known(name)).map((w) => w + 1),
        },
      ]),
    );
    // Whatever it says of rows that have no start.
    const importance = new Map([...start].map(([name, { data }]) => [name, data.map((_, i) => (i % 4) / 2)]));
    for (const sparse of [false, true]) {
      const l2Start = { strength, from, importance };
      const without = await after({ sparse }, [[OTHER]], rate);
      const pulled = await after({ sparse, l2Start }, [[OTHER]], rate);
      for (const [name, { data }] of pulled.tensors) {
        const first = name === 'table' && sparse ? WIDTH : 0;
        const moved = Array.from(data, (w, i) => w - without.tensors.get(name)!.data[i]!);
        const expected = moved.map((_, i) =>
          i < known(name) ? rate * strength * importance.get(name)![i]! : 0,
        );
        assertClose(moved.slice(first), expected.slice(first), `${name}, sparse: ${sparse}`, 1e-6);
      }
    }
  });

  test('weight decay takes its share of matrices and of the rows touched, unseen by the moments', async () => {
    for (const sparse of [false, true]) {
      const l2 = 0.2;
      const without = await using({ sparse, l2, optimizer: 'adam' }, afterOther);
      const decayed = await using({ sparse, l2, optimizer: 'adamw' }, afterOther);
      assertSameTensors(decayed.state, without.state, 'moments');
      for (const [name, { data }] of start) {
        const pulled = Array.from(data, (_, i) => {
          const [now, before] = [decayed, without].map(({ tensors }) => tensors.get(name)!.data[i]!);
          return now! - before!;
        });
        const share = name === 'bias' ? 0 : 0.1 * 0.01;
        // OTHER reads all rows but padding: dense decays that one too.
        const from = name === 'table' ? WIDTH : 0;
        const expected = Array.from(data, (v) => -share * v);
        assertClose(pulled.slice(from), expected.slice(from), `${name}, sparse: ${sparse}`, 5e-7);
      }
    }
  });

  test('frozen parameters keep their bits and are left out of the norm', async () => {
    for (const sparse of [false, true]) {
      const frozen = (name: string): boolean => name === 'table' || name === 'bias';
      const { tensors, results } = await after({ sparse, frozen, optimizer: 'adam', l2: 0.1 }, [
        [BATCH],
        [OTHER],
      ]);
      for (const name of ['table', 'bias']) assert.deepEqual(tensors.get(name)!.data, start.get(name)!.data);
      assert.ok(gap(tensors, 'matrix').every((d) => d !== 0));
      const free = await after({ sparse }, [[BATCH]]);
      assert.ok(results[0]!.gradientNorm < free.results[0]!.gradientNorm);
    }
    const state = await using({ sparse: true, optimizer: 'adam', frozen: (n) => n !== 'bias' }, (s) =>
      s.export(),
    );
    assert.deepEqual([...state.keys()].sort(), ['bias/m', 'bias/v', 'step']);
  });
}
