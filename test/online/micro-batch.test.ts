import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { changedSettings } from '../../src/online/changed-settings.js';
import { MicroBatch } from '../../src/online/micro-batch.js';

test('questions that wait are answered together, a bounded number at a time, each with its own row', async () => {
  const sizes: number[] = [];
  const batch = new MicroBatch<number>(async (asked) => {
    sizes.push(asked.length);
    return Float32Array.from(asked.flatMap((n) => [n, 2 * n]));
  });
  const rows = await Promise.all(Array.from({ length: 40 }, (_, n) => batch.ask(n)));
  assert.deepEqual(
    rows.map((row) => [...row]),
    rows.map((_, n) => [n, 2 * n]),
  );
  assert.deepEqual(sizes, [16, 16, 8]);
});

test('others get a turn between two rounds of answers', async () => {
  const happened: string[] = [];
  const batch = new MicroBatch<number>(async (asked) => {
    happened.push('answers');
    return new Float32Array(asked.length);
  });
  const asked = Promise.all(Array.from({ length: 32 }, (_, n) => batch.ask(n)));
  await turn();
  happened.push('another');
  await asked;
  assert.deepEqual(happened, ['answers', 'another', 'answers']);
});

test('a question that cannot be answered does not spoil the answers to others', async () => {
  const batch = new MicroBatch<number>(async (asked) => {
    if (asked.includes(3)) throw new Error('not three');
    return Float32Array.from(asked);
  });
  const found = await Promise.allSettled([1, 2, 3, 4].map((n) => batch.ask(n)));
  assert.deepEqual(
    found.map((one) => (one.status === 'fulfilled' ? one.value[0] : one.reason.message)),
    [1, 2, 'not three', 4],
  );
});

test('another way to compute than that of the snapshot is told like a setting that has changed', () => {
  assert.deepEqual(changedSettings({ seed: 1, arithmetic: 'tensors' }, { seed: 1, arithmetic: 'arrays 1' }), [
    'arithmetic: tensors → arrays 1',
  ]);
  assert.deepEqual(
    changedSettings({ seed: 1, arithmetic: 'tensors' }, { seed: 1, arithmetic: 'tensors' }),
    [],
  );
});
