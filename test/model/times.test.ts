import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { timeBuckets } from '../../src/model/layers/attention/relative-time.js';
import { alignTimes, packTimes } from '../../src/model/times.js';
import type { Query } from '../../src/types.js';
import { onEachBackend } from '../suites/backends.js';

onEachBackend('buckets of time differences', () => {
  const bucketsOf = (times: number[]): number[][] => {
    const buckets = tf.tidy(() => timeBuckets(tf.tensor2d([times], [1, times.length], 'int32')));
    const found = (buckets.arraySync() as number[][][])[0]!;
    buckets.dispose();
    return found;
  };

  test('by hand', () => {
    // Differences of 0, 1, 3 and 60 seconds; in either direction.
    assert.deepEqual(bucketsOf([0, 1, 3]), [
      [0, 1, 2],
      [1, 0, 1],
      [2, 1, 0],
    ]);
    assert.deepEqual(bucketsOf([-60, 0])[0], [0, 5]);
  });

  test('every power of two begins a bucket; a few decades are in the last ones', () => {
    for (let k = 1; k <= 12; k++) {
      assert.equal(bucketsOf([0, 2 ** k - 1])[0]![1], k);
      assert.equal(bucketsOf([0, 2 ** k - 2])[0]![1], k - 1);
    }
    const day = 86_400;
    assert.deepEqual(bucketsOf([-20_000 * day, -365 * day, -day, 0])[3], [30, 24, 16, 0]);
    assert.deepEqual(bucketsOf([-(2 ** 30 - 1), 2 ** 30 - 1])[0], [0, 31]);
  });
});

describe('times of a batch', () => {
  const align = (source: number[], start: number, end: number, steps: number): number[] => {
    const into = new Int32Array(2 * steps);
    alignTimes(Float64Array.from(source), start, end, into, 1, steps);
    return [...into.subarray(steps)];
  };

  test('seconds after the newest event, right-aligned and cut', () => {
    const source = [1_000, 61_000, 3_600_999, 3_601_000, 9e12];
    assert.deepEqual(align(source, 0, 4, 6), [0, 0, -3600, -3540, -1, 0]);
    assert.deepEqual(align(source, 0, 4, 2), [-1, 0]);
    assert.deepEqual(align(source, 1, 3, 3), [0, -3539, 0]);
    assert.deepEqual(align(source, 2, 2, 3), [0, 0, 0], 'no event');
  });

  test('a difference is the same from whichever event it is counted (property)', () => {
    const ms = fc.integer({ min: -2_000_000_000_000, max: 4_000_000_000_000 });
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 30_000_000_000 }), { minLength: 3, maxLength: 8 }),
        ms,
        (gaps, from) => {
          const source = gaps.map((_, i) => gaps.slice(0, i + 1).reduce((a, b) => a + b, from));
          const n = source.length;
          const [all, some] = [align(source, 0, n, n), align(source, 0, n - 1, n - 1)];
          assert.equal(all[1]! - all[0]!, some[1]! - some[0]!);
          assert.equal(all.at(-1), 0);
        },
      ),
    );
  });

  test('centuries apart they stay within int32', () => {
    assert.deepEqual(align([-6e13, 0, 6e13], 0, 2, 2), [-(2 ** 30 - 1), 0]);
    assert.deepEqual(align([6e13, 0], 0, 2, 2), [2 ** 30 - 1, 0]);
  });

  test('a history without times is refused, by the key and with what to do; an empty one needs none', () => {
    const query = (...items: number[]): Query => ({
      user: 1,
      items: Int32Array.from(items),
      behaviours: new Uint8Array(items.length),
    });
    assert.deepEqual([...packTimes([query()], 2)], [0, 0]);
    assert.throws(() => packTimes([query(), query(3)], 2), {
      code: 'DATA_EMPTY',
      message: /^model\.relativeTime: /,
      remedy: /relativeTime: false/,
    });
  });
});
