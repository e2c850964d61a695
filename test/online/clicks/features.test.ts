import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RecsysError } from '../../../src/errors.js';
import { ClickFeatures } from '../../../src/online/clicks/features.js';
import { absorbed, crossed, hashOf } from '../../../src/online/clicks/hash.js';
import type { Catalogue, FeatureTable } from '../../../src/types.js';
import { noFeatures } from '../../suites/fixtures.js';

/** Item i1 is a long drama and comedy of 1990, i2 has no attributes; u1 is old. */
const items: FeatureTable = {
  rows: 3,
  width: 3,
  tokens: Int32Array.of(0, 0, 0, 1, 2, 3, 0, 0, 0),
  tokenNames: ['', 'genre=drama', 'genre=comedy', 'year=1990'],
  numbers: Float32Array.of(0, 7, 0),
  numberNames: ['length'],
};
const users: FeatureTable = { ...noFeatures(2), numbers: Float32Array.of(0, -1.5), numberNames: ['age'] };
const known = (): Pick<Catalogue, 'users' | 'items' | 'userFeatures' | 'itemFeatures'> => ({
  ...{ users: ['', 'u1'], items: ['', 'i1', 'i2'], userFeatures: users, itemFeatures: items },
});

type Crosses = readonly (readonly [string, string])[];
/** Hashes with values, sorted. */
function read(of: string, item: number, crosses: Crosses, catalogue = known()): [number, number][] {
  const { count, hashes, values } = new ClickFeatures(catalogue, crosses).of(of, item);
  return sorted(Array.from({ length: count }, (_, i) => [hashes[i]!, values[i]!]));
}
const sorted = (of: [number, number][]) => of.sort((a, b) => a[0] - b[0] || a[1] - b[1]);

test('FNV-1a by its published value; hashes of texts and crosses are told apart', () => {
  assert.equal(absorbed('a') >>> 0, 0xe40c292c);
  assert.equal(absorbed('foobar') >>> 0, 0xbf9cf968);
  assert.equal(absorbed('bar', absorbed('foo')), absorbed('foobar'));
  assert.notEqual(crossed(1, 2), crossed(2, 1));
});

test('ids, attributes and their crosses', () => {
  const constant: [number, number] = [hashOf('constant'), 1];
  const id = (name: string): [number, number] => [hashOf(name), 1];
  assert.deepEqual(read('nobody', 2, []), sorted([constant, id('user=nobody'), id('item=i2')]));
  const plain: [number, number][] = [
    ...[constant, id('user=u1'), id('item=i1'), id('item.genre=drama'), id('item.genre=comedy')],
    ...[id('item.year=1990')],
    // Cut off at five deviations.
    ...([
      [hashOf('item.length'), 5],
      [hashOf('user.age'), -1.5],
    ] as [number, number][]),
  ];
  assert.deepEqual(read('u1', 1, []), sorted([...plain]));
  const cross = (a: string, b: string, value = 1): [number, number] => [crossed(hashOf(a), hashOf(b)), value];
  assert.deepEqual(
    read('u1', 1, [
      ['user', 'item'],
      ['item.genre', 'user.*'],
      ['user.age', 'item.length'],
    ]),
    sorted([
      ...plain,
      cross('user=u1', 'item=i1'),
      cross('user.age', 'item.genre=drama', -1.5),
      cross('user.age', 'item.genre=comedy', -1.5),
      cross('user.age', 'item.length', -7.5),
    ]),
  );
});

test('a cross within one side has each pair once, in whatever order a row has its attributes', () => {
  const added = (tokens: readonly number[], crosses: Crosses): number[] => {
    const of = { ...items, tokens: Int32Array.of(0, 0, 0, ...tokens, 0, 0, 0) };
    const catalogue = { ...known(), itemFeatures: of };
    const plain = read('u1', 1, [], catalogue).map(([hash]) => hash);
    const all = read('u1', 1, crosses, catalogue).map(([hash]) => hash);
    return all.filter((hash) => !plain.includes(hash));
  };
  const orders = [
    [1, 2, 3],
    [3, 2, 1],
    [2, 3, 1],
  ];
  for (const [crosses, pairs] of [
    [[['item.*', 'item.*']], 6],
    [[['item.genre', 'item.year']], 2],
    [[['item.year', 'item.*']], 3],
    [[['item.genre', 'item.genre']], 1],
    [[['item.year', 'item.year']], 0],
  ] as [Crosses, number][]) {
    const [first, ...others] = orders.map((tokens) => added(tokens, crosses));
    assert.equal(first!.length, pairs, crosses.join());
    for (const other of others) assert.deepEqual(other, first, crosses.join());
  }
});

test('an attribute that nobody has is refused, with those there are', () => {
  const remedyOf = (cross: [string, string]): string => {
    try {
      new ClickFeatures(known(), [cross]);
    } catch (error) {
      if (error instanceof RecsysError && error.code === 'CONFIG_INVALID') return error.remedy;
    }
    return 'not refused';
  };
  assert.match(remedyOf(['user', 'item.colour']), /length, genre, year/);
  assert.match(remedyOf(['user.genre', 'item']), /age/);
});

test('an item that comes later is read by its id; any ids make features within bounds', () => {
  const catalogue = { ...known(), items: ['', 'i1', 'i2', ''] };
  const features = new ClickFeatures(catalogue, [['user', 'item']]);
  features.of('u1', 1);
  catalogue.items[3] = 'i9';
  const { count, hashes } = features.of('u2', 3);
  assert.deepEqual(
    [...hashes.subarray(1, count)].sort(),
    [...[hashOf('user=u2'), hashOf('item=i9'), crossed(hashOf('user=u2'), hashOf('item=i9'))]].sort(),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 3 }), (user, item) => {
      const once = features.of(user, item);
      const copy = [once.count, ...once.hashes.subarray(0, once.count)];
      const again = features.of(user, item);
      assert.deepEqual([again.count, ...again.hashes.subarray(0, again.count)], copy);
      assert.ok(again.count <= again.hashes.length);
    }),
  );
});
