import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { explainDataset } from '../../src/commands/inspect/dataset.js';
import { words } from '../../src/data/features.js';
import { bucketsOf, fnv1a } from '../../src/data/hashing.js';
import { prepare } from '../../src/data/prepare.js';
import { readDataset } from '../../src/data/read.js';
import { prepareSchema } from '../../src/data/schema.js';
import type { FeatureTable } from '../../src/types.js';
import { context, csvOf, folder, prepared, ROWS, type Row } from './helpers.js';

test('FNV-1a: by hand, and the published values', () => {
  // "a" is the byte 97: (2166136261 xor 97) · 16777619 mod 2³² = 2166136228 · 16777619 mod 2³².
  assert.equal(fnv1a('a'), Number((2166136228n * 16777619n) % 4294967296n));
  assert.equal(fnv1a('a'), 0xe40c292c);
  assert.equal(fnv1a(''), 0x811c9dc5);
  assert.equal(fnv1a('foobar'), 0xbf9cf968);
  // UTF-8, of two, three and four bytes a character.
  assert.deepEqual(['été', '日本', '😀'].map(fnv1a), [0xffb58817, 0x9f26ee51, 0x33a29608]);
  assert.deepEqual(bucketsOf(['a', 'foobar', 'a'], 1000), [0xe40c292c % 1000, 0xbf9cf968 % 1000]);
});

const text = fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }), { maxLength: 12 });

test('buckets: in range, distinct, and the same whatever the order and the repetitions (property)', () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 2, max: 50 }), fc.integer(), (parts, count, seed) => {
      const found = bucketsOf(words(parts.join(' ')), count);
      assert.equal(new Set(found).size, found.length);
      assert.ok(found.every((bucket) => Number.isInteger(bucket) && bucket >= 0 && bucket < count));
      const others = fc.sample(fc.shuffledSubarray(parts, { minLength: parts.length }), { seed, numRuns: 1 });
      const shuffled = bucketsOf(words([...others[0]!, ...parts].join(' ')), count);
      assert.deepEqual(new Set(shuffled), new Set(found));
    }),
  );
});

test('words fill all buckets about evenly', () => {
  const counts = new Array<number>(16).fill(0);
  for (let n = 0; n < 16_000; n++) counts[fnv1a(`word${n}`) % 16]!++;
  assert.ok(
    counts.every((c) => c > 800 && c < 1200),
    `${counts}`,
  );
});

const rows: Row[] = [
  ['u', 'x', 1],
  ['u', 'y', 2],
  ['u', 'z', 3],
  ['v', 'y', 1],
  ['v', 'x', 2],
  ['v', 'z', 3],
];
const configOf = (about: object) => ({
  interactions: ROWS,
  items: [
    {
      path: 'items.csv',
      id: 'id',
      attributes: { about: { column: 'about', type: 'text', ...about } },
    },
  ],
  split: { kind: 'leave-last-out', catalogue: 'all' },
});
const tokensOf = (f: FeatureTable, row: number): string[] =>
  Array.from(f.tokens.subarray(row * f.width, (row + 1) * f.width))
    .filter((t) => t > 0)
    .map((t) => f.tokenNames[t]!);
const named = (count: number, ...list: string[]): string[] =>
  bucketsOf(list, count).map((bucket) => `about#${bucket}/${count}`);

test('words become buckets, once each; words of no training item count where their bucket has been seen', async (t) => {
  const files = {
    'rows.csv': csvOf(rows),
    // The last item is nobody's training item. Composed and decomposed letters are the same ones.
    'items.csv': 'id,about\nx,"Red été, RED wine"\ny,"e\u0301te\u0301 blue"\nz,"never met before"\n',
  };
  const { catalogue, manifest } = await prepared(t, files, configOf({ buckets: 2 }));
  const f = catalogue.itemFeatures;
  assert.deepEqual(catalogue.items, ['', 'x', 'y', 'z']);
  assert.deepEqual(tokensOf(f, 1), named(2, 'red', 'été', 'wine'));
  assert.deepEqual(tokensOf(f, 2), named(2, 'été', 'blue'));
  assert.deepEqual(tokensOf(f, 3), named(2, 'never', 'met', 'before'), 'both buckets have been seen');
  assert.equal(manifest.attributes.items.about, 'text in 2 buckets');

  const many = await prepared(t, files, configOf({ buckets: 1_000_003 }));
  const g = many.catalogue.itemFeatures;
  assert.deepEqual(tokensOf(g, 1), named(1_000_003, 'red', 'été', 'wine'), 'one item is enough by default');
  assert.deepEqual(tokensOf(g, 3), [], 'a bucket of no training item has learned nothing');
  const frequent = await prepared(t, files, configOf({ buckets: 1_000_003, minCount: 2 }));
  assert.deepEqual(tokensOf(frequent.catalogue.itemFeatures, 1), named(1_000_003, 'été'));
  const plain = await prepared(t, files, configOf({ minCount: 1, limit: 2 }));
  assert.deepEqual(
    tokensOf(plain.catalogue.itemFeatures, 1),
    ['about=red', 'about=été'],
    'as without buckets',
  );
  const cut = await prepared(t, files, configOf({ buckets: 1_000_003, limit: 2 }));
  assert.deepEqual(tokensOf(cut.catalogue.itemFeatures, 1), named(1_000_003, 'red', 'été'));
});

test('an extension keeps the buckets and what old items were; inspect names their number', async (t) => {
  const raw = await folder(t, {
    'rows.csv': csvOf(rows),
    'items.csv': 'id,about\nx,one two three\ny,four five six\n',
  });
  const [out, next] = [join(raw, 'out'), join(raw, 'next')];
  await mkdir(out);
  await mkdir(next);
  const config = configOf({ buckets: 7 });
  await prepare(prepareSchema.parse({ raw, ...config }), out, context());
  await writeFile(join(raw, 'rows.csv'), csvOf([...rows, ['u', 'w', 4], ['u', 'x', 5], ['u', 'y', 6]]));
  await writeFile(join(raw, 'items.csv'), 'id,about\nw,six seven one\n');
  await prepare(prepareSchema.parse({ raw, ...config, extend: out }), next, context());
  const [f, g] = [await readDataset(out), await readDataset(next)].map((d) => d.catalogue.itemFeatures);
  assert.deepEqual(g!.tokenNames.slice(0, f!.tokenNames.length), f!.tokenNames);
  assert.deepEqual(tokensOf(g!, 1), tokensOf(f!, 1), 'x is not described anew');
  assert.deepEqual(tokensOf(g!, 4), named(7, 'six', 'seven', 'one'));
  const { sections } = await explainDataset(next, (await readDataset(next)).manifest, context());
  assert.match(JSON.stringify(sections), /about \(text in 7 buckets\)/);

  // Of another number, bucket 3 is another thing: it must not get the vector of the old one.
  const other = join(raw, 'other');
  await mkdir(other);
  await prepare(prepareSchema.parse({ raw, ...configOf({ buckets: 8 }), extend: out }), other, context());
  const h = (await readDataset(other)).catalogue.itemFeatures;
  assert.ok(tokensOf(h, 4).every((name) => !f!.tokenNames.includes(name)));
});

test('only a text has buckets, at least two', () => {
  const parse = (type: string, buckets: number) =>
    prepareSchema.safeParse({
      interactions: ROWS,
      items: [{ path: 'x', id: 'id', attributes: { a: { column: 'a', type, buckets } } }],
    });
  assert.ok(parse('text', 2).success);
  assert.match(String(parse('text', 1).error), /buckets/);
  assert.match(String(parse('tags', 64).error), /only a text is hashed/);
});
