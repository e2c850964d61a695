import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hash32, Random } from '../src/random.js';

const take = (random: Random, n: number): number[] => Array.from({ length: n }, () => random.bits());

/** xoshiro128** with SplitMix32, in BigInt: an independent reading of the reference C code. */
function reference(seed: number, n: number): number[] {
  const mask = 0xffffffffn;
  const rotl = (x: bigint, k: bigint): bigint => ((x << k) | (x >> (32n - k))) & mask;
  let s = BigInt(seed >>> 0);
  const state = Array.from({ length: 4 }, () => {
    s = (s + 0x9e3779b9n) & mask;
    let z = s;
    z = ((z ^ (z >> 16n)) * 0x21f0aaadn) & mask;
    z = ((z ^ (z >> 15n)) * 0x735a2d97n) & mask;
    return z ^ (z >> 15n);
  }) as [bigint, bigint, bigint, bigint];
  return Array.from({ length: n }, () => {
    const result = (rotl((state[1] * 5n) & mask, 7n) * 9n) & mask;
    const t = (state[1] << 9n) & mask;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= t;
    state[3] = rotl(state[3], 11n);
    return Number(result);
  });
}

test('the stream is xoshiro128**', () => {
  for (const seed of [0, 1, 42, 0xffffffff])
    assert.deepEqual(take(new Random(seed), 50), reference(seed, 50));
});

test('known values: a change would break every seeded run', () => {
  assert.deepEqual(take(new Random(42), 3), [660444221, 3652823732, 77672526]);
  assert.deepEqual(take(Random.of(42, 'epoch', 3), 2), [3703679652, 2691102118]);
});

test('hash32 is MurmurHash3 over UTF-16 units: equal texts equal, order and length matter', () => {
  assert.equal(hash32(''), 0);
  assert.equal(hash32('abc'), hash32('abc'));
  const words = ['a', 'b', 'ab', 'ba', 'a\u0000b', 'aa', 'aaa', 'é', '😀'];
  assert.equal(new Set(words.map((word) => hash32(word))).size, words.length);
  assert.notEqual(hash32('a', 1), hash32('a', 2));
});

test('equal names give equal streams, and keys do not run together', () => {
  assert.deepEqual(take(Random.of(1, 'a', 2), 5), take(Random.of(1, 'a', 2), 5));
  assert.notDeepEqual(take(Random.of(1, 'a', 'b'), 5), take(Random.of(1, 'ab'), 5));
  assert.notDeepEqual(take(Random.of(1, 'a'), 5), take(Random.of(2, 'a'), 5));
});

test('neighbouring streams are uncorrelated', () => {
  const n = 20_000;
  for (const [a, b] of [
    [Random.of(42, 'epoch', 1), Random.of(42, 'epoch', 2)],
    [Random.of(42), Random.of(43)],
    [new Random(0), new Random(1)],
  ] as const) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += (a.uniform() - 0.5) * (b.uniform() - 0.5);
    const correlation = (sum / n) * 12;
    assert.ok(Math.abs(correlation) < 5 / Math.sqrt(n), `correlation ${correlation}`);
  }
});

test('uniform: chi-square over 64 cells, lag-1 correlation, range', () => {
  const random = new Random(7);
  const n = 64_000;
  const cells = new Array<number>(64).fill(0);
  let previous = 0.5;
  let lag = 0;
  for (let i = 0; i < n; i++) {
    const u = random.uniform();
    assert.ok(u >= 0 && u < 1);
    cells[Math.floor(u * 64)]! += 1;
    lag += (u - 0.5) * (previous - 0.5);
    previous = u;
  }
  const chi = cells.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
  assert.ok(chi > 25 && chi < 120, `chi-square ${chi} with 63 degrees of freedom`);
  assert.ok(Math.abs((lag / n) * 12) < 5 / Math.sqrt(n));
});

test('normal: mean, deviation, tails', () => {
  const random = new Random(3);
  const n = 50_000;
  const values = Array.from({ length: n }, () => random.normal());
  const mean = values.reduce((a, b) => a + b, 0) / n;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / n;
  assert.ok(Math.abs(mean) < 0.02 && Math.abs(variance - 1) < 0.03);
  const outside = values.filter((value) => Math.abs(value) > 1.96).length / n;
  assert.ok(Math.abs(outside - 0.05) < 0.005);
  assert.ok(values.every(Number.isFinite));
});

test('int stays in range and reaches both ends; shuffle is a permutation', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 6 }), (seed, n) => {
      const random = new Random(seed);
      const seen = new Set(Array.from({ length: 200 }, () => random.int(n)));
      assert.deepEqual(
        [...seen].sort(),
        Array.from({ length: n }, (_, i) => i),
      );
      const values = Int32Array.from({ length: 20 }, (_, i) => i);
      assert.deepEqual(
        [...random.shuffle(values)].sort((a, b) => a - b),
        Array.from({ length: 20 }, (_, i) => i),
      );
    }),
  );
});

test('shuffle gives each of six orders about equally often', () => {
  const random = new Random(11);
  const counts = new Map<string, number>();
  for (let i = 0; i < 6000; i++) {
    const order = random.shuffle([1, 2, 3]).join('');
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  assert.equal(counts.size, 6);
  for (const count of counts.values()) assert.ok(Math.abs(count - 1000) < 150, String(count));
});
