import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Buckets } from '../../../src/online/security/buckets.js';

function at(perSecond: number, burst: number, most = 100) {
  const clock = { now: 0 };
  return { clock, buckets: new Buckets({ perSecond, burst }, most, () => clock.now) };
}

test('burst, then rate: hand-computed', () => {
  const { clock, buckets } = at(2, 3);
  for (let n = 0; n < 3; n++) {
    assert.equal(buckets.wait('a'), 0);
    buckets.take('a');
  }
  assert.equal(buckets.wait('a'), 0.5, 'one token in half a second');
  assert.equal(buckets.wait('b'), 0, 'another one has its own');
  clock.now = 250;
  assert.equal(buckets.wait('a'), 0.25);
  clock.now = 500;
  assert.equal(buckets.wait('a'), 0);
  clock.now = 60_000;
  assert.equal(buckets.wait('a', 3), 0);
  buckets.take('a', 3);
  assert.equal(buckets.wait('a'), 0.5, 'never more than the burst');
});

test('what costs more than the burst needs a full bucket and leaves a debt', () => {
  const { clock, buckets } = at(1, 5);
  assert.equal(buckets.wait('a', 20), 0);
  buckets.take('a', 20);
  assert.equal(buckets.wait('a'), 16, '15 of debt, and one');
  clock.now = 16_000;
  assert.equal(buckets.wait('a'), 0);
  assert.equal(buckets.wait('a', 20), 4);
});

test('a clock that is set back gives no tokens and takes none', () => {
  const { clock, buckets } = at(1, 1);
  clock.now = 10_000;
  buckets.take('a');
  clock.now = 0;
  assert.equal(buckets.wait('a'), 1);
});

test('never more than burst + rate × time is let through, whatever is asked when', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 20 }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 1, max: 20 })), {
        maxLength: 60,
      }),
      (perSecond, burst, asked) => {
        const { clock, buckets } = at(perSecond, burst);
        let passed = 0;
        for (const [pause, cost] of asked) {
          clock.now += pause;
          const fits = Math.min(cost, burst);
          if (buckets.wait('a', fits) > 0) continue;
          buckets.take('a', fits);
          passed += fits;
          assert(passed <= burst + (clock.now / 1000) * perSecond + 1e-6);
        }
      },
    ),
  );
});

test('memory is bounded: full buckets are forgotten first, then the one untouched for longest', () => {
  const { clock, buckets } = at(1, 10, 3);
  buckets.take('rested');
  clock.now = 500;
  for (const name of ['a', 'b']) buckets.take(name, 10);
  clock.now = 2000;
  buckets.take('c', 10);
  assert.equal(buckets.size, 3, 'the full one is gone');
  assert(buckets.wait('a') === 0 && buckets.wait('a', 10) > 0, 'a is remembered');
  buckets.take('a');
  buckets.take('d', 10);
  assert.equal(buckets.size, 3);
  assert.equal(buckets.wait('b', 10), 0, 'b was untouched for longest');
  assert(buckets.wait('a', 10) > 0);
  for (let n = 0; n < 1000; n++) buckets.take(`user${n}`);
  assert.equal(buckets.size, 3);
});
