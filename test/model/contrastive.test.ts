import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { contrastive } from '../../src/model/losses/contrastive.js';
import { assertClose, valuesOf } from '../suites/assertions.js';
import { onEachBackend } from '../suites/backends.js';

interface Given {
  readonly first: number[][];
  readonly second: number[][];
  readonly users: number[];
  readonly present: number[];
}

const loss = (given: Given, temperature: number, first?: tf.Tensor): tf.Scalar =>
  contrastive(
    {
      first: (first ?? tf.tensor2d(given.first)) as tf.Tensor2D,
      second: tf.tensor2d(given.second),
      users: tf.tensor1d(given.users, 'int32'),
      present: tf.tensor1d(given.present),
    },
    temperature,
  );
const value = (given: Given, temperature: number): number => valuesOf(() => loss(given, temperature))[0]!;
const gradient = (given: Given, temperature: number): number[] => [
  ...valuesOf(() => tf.grad((x) => loss(given, temperature, x))(tf.tensor2d(given.first))),
];

/** By the formula, one view at a time. */
function expected({ first, second, users, present }: Given, temperature: number): number {
  const views = [...first, ...second];
  const size = users.length;
  const cos = (a: number[], b: number[]): number => {
    const dot = (x: number[], y: number[]): number => x.reduce((sum, v, i) => sum + v * y[i]!, 0);
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)) / temperature;
  };
  const losses = views.flatMap((view, i) => {
    if (present[i % size] === 0) return [];
    const own = cos(view, views[(i + size) % (2 * size)]!);
    const rivals = views.flatMap((other, j) =>
      present[j % size] === 1 && users[j % size] !== users[i % size] ? [cos(view, other)] : [],
    );
    return [Math.log([own, ...rivals].reduce((sum, x) => sum + Math.exp(x), 0)) - own];
  });
  return losses.reduce((a, b) => a + b, 0) / Math.max(1, losses.length);
}

const THREE: Given = {
  first: [
    [1, 2, -1],
    [0.5, -1, 3],
    [-2, 0.1, 1],
  ],
  second: [
    [2, 1, -1],
    [0, -1, 1],
    [-1, 1, 0.4],
  ],
  users: [7, 8, 9],
  present: [1, 1, 1],
};

onEachBackend('the contrastive loss', () => {
  test('by hand: two sequences at right angles, whose views agree', () => {
    const same = [
      [3, 0],
      [0, 5],
    ];
    // Each view: its partner at cosine 1, two rivals at 0.
    const found = value({ first: same, second: same, users: [1, 2], present: [1, 1] }, 0.5);
    assertClose([found], [Math.log(Math.exp(2) + 2) - 2], 'loss');
  });

  test('is the formula, over the rivals of both views and in both directions', () => {
    for (const temperature of [0.05, 0.5, 2])
      assertClose(
        [value(THREE, temperature)],
        [expected(THREE, temperature)],
        `τ ${temperature}`,
        1e-5,
        1e-4,
      );
    const swapped = { ...THREE, first: THREE.second, second: THREE.first };
    assertClose([value(swapped, 0.5)], [value(THREE, 0.5)], 'views swapped');
    const longer = { ...THREE, first: THREE.first.map((row, i) => row.map((v) => v * (i + 1))) };
    assertClose([value(longer, 0.5)], [value(THREE, 0.5)], 'lengths do not matter');
  });

  test('sequences of one user are no rivals of each other', () => {
    const shared = { ...THREE, users: [7, 8, 7] };
    assertClose([value(shared, 0.5)], [expected(shared, 0.5)], 'loss');
    assert.ok(value(shared, 0.5) < value(THREE, 0.5) - 0.01);
    assertClose([value({ ...THREE, users: [7, 7, 7] }, 0.5)], [0], 'one user alone');
  });

  test('padded rows change neither the loss nor a gradient, whatever their states', () => {
    const two = {
      first: THREE.first.slice(0, 2),
      second: THREE.second.slice(0, 2),
      users: [7, 8],
      present: [1, 1],
    };
    for (const row of [
      [0, 0, 0],
      [900, -900, 3],
    ]) {
      const padded = {
        first: [...two.first, row],
        second: [...two.second, row],
        users: [7, 8, 0],
        present: [1, 1, 0],
      };
      assertClose([value(padded, 0.5)], [value(two, 0.5)], 'loss');
      assertClose(gradient(padded, 0.5), [...gradient(two, 0.5), 0, 0, 0], 'gradient');
    }
    const nobody = { ...THREE, users: [0, 0, 0], present: [0, 0, 0] };
    assert.equal(value(nobody, 0.5), 0);
  });

  test('the gradient is that of the formula', () => {
    const slopes = THREE.first.flatMap((row, r) =>
      row.map((_, c) => {
        const moved = (by: number): number => {
          const first = THREE.first.map((x, i) => x.map((v, j) => (i === r && j === c ? v + by : v)));
          return expected({ ...THREE, first }, 0.5);
        };
        return (moved(1e-5) - moved(-1e-5)) / 2e-5;
      }),
    );
    assertClose(gradient(THREE, 0.5), slopes, 'gradient', 1e-4, 1e-3);
  });

  test('a tiny temperature gives neither infinities nor NaN', () => {
    assert.ok(Number.isFinite(value(THREE, 1e-4)));
    assert.ok(gradient(THREE, 1e-4).every(Number.isFinite));
  });
});
