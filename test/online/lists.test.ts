import assert from 'node:assert/strict';
import { rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { Attributes } from '../../src/online/lists/attributes.js';
import { Availability } from '../../src/online/lists/availability.js';
import { Lists } from '../../src/online/lists/lists.js';
import { listsSchema } from '../../src/online/lists/schema.js';
import { select } from '../../src/online/lists/selection.js';
import { OpenCatalogue } from '../../src/online/open-catalogue.js';
import type { Catalogue } from '../../src/types.js';
import { CountingLearner, catalogue, recordingContext, startServer, temporary } from './fixtures.js';

/** 12 items; item i has brand b(i mod 3) and colour red where i is even. */
function shop(): Catalogue {
  const tokenNames = ['', 'brand=b0', 'brand=b1', 'brand=b2', 'colour=red'];
  const tokens = new Int32Array(13 * 2);
  for (let item = 1; item <= 12; item++) {
    tokens[2 * item] = 1 + (item % 3);
    if (item % 2 === 0) tokens[2 * item + 1] = 4;
  }
  return {
    ...catalogue(2, 12),
    itemFeatures: { rows: 13, width: 2, tokens, tokenNames, numbers: new Float32Array(0), numberNames: [] },
  };
}

const quiet = () => {};
const nothing = { has: () => false };
const opened = (config: object, of = shop()) =>
  Lists.open(listsSchema.parse(config), of, new OpenCatalogue(of), quiet);
/** Item i has the score 13 − i: without rules the list is 1, 2, 3 … */
const falling = Float32Array.from({ length: 13 }, (_, item) => 13 - item);
const wanted = (k: number, counts: boolean) => ({
  k,
  counts,
  barred: nothing,
  popularity: new Float32Array(13),
});
const listOf = async (config: object, k = 5, counts = false) => [
  ...(await (await opened(config)).best(falling, wanted(k, counts))).items,
];

test('without rules a list is the best scores', async () => {
  assert.deepEqual(await listOf({}), [1, 2, 3, 4, 5]);
});

test('what is excluded is in no list; a boost moves by its logarithm, a count by its factor', async () => {
  const colour = { attribute: 'colour', values: ['red'] };
  assert.deepEqual(await listOf({ rules: [{ ...colour, exclude: true }] }), [1, 3, 5, 7, 9]);
  // ln 8 = 2.08: 10 (score 3) comes before 9 (4) and 8 (5 + 2.08) before 6.
  const boosted = await (await opened({ rules: [{ ...colour, boost: 8 }] })).best(falling, wanted(3, false));
  assert.deepEqual([...boosted.items], [2, 1, 4]);
  assert(Math.abs(boosted.scores[0]! - 11 - Math.log(8)) < 1e-5, `${boosted.scores[0]}`);
  assert.deepEqual(
    await listOf({ rules: [{ ...colour, boost: 2 }] }, 3, true),
    [2, 4, 6],
    'counts 22, 18, 14',
  );
  const both = {
    rules: [
      { ...colour, boost: 8 },
      { attribute: 'brand', values: ['b2'], exclude: true },
    ],
  };
  assert.deepEqual(await listOf(both, 3), [1, 4, 3], '2 and 8 are of b2; 4 is raised to 11.08');
});

test('most of a value: the next best of others follow, and the list is shorter where there are none', async () => {
  assert.deepEqual(await listOf({ most: { brand: 1 } }, 3), [1, 2, 3]);
  assert.deepEqual(await listOf({ most: { brand: 2 } }, 6), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(await listOf({ most: { colour: 1 } }, 5), [1, 2, 3, 5, 7]);
  assert.deepEqual(await listOf({ most: { brand: 1 } }, 5), [1, 2, 3]);
});

test('diversity: by hand, and never two alike where something else is as good', async () => {
  // Scores of 1, 2, 3, 4: relevance 1, 2/3, 1/3, 0. After 1 (b1), item 4 (b1, red) is half alike, 2 (b2, red) and 3 (b0) are not.
  const scores = { items: Int32Array.of(1, 4, 2, 3), scores: Float32Array.of(4, 3, 2, 1) };
  const options = { attributes: new Attributes(shop()), most: new Map<string, number>() };
  const chosen = (diversity: number) => [...select(scores, 4, { ...options, diversity }).items];
  assert.deepEqual(chosen(0), [1, 4, 2, 3]);
  // λ = .5: 4 is worth .5 · 2/3 − .5 · .5 = .083, 2 is .5 · 1/3 = .167.
  // Then 4 is worth the same .083, and 3 nothing.
  assert.deepEqual(chosen(0.5), [1, 2, 4, 3]);
});

test('a list holds no item twice, keeps its caps, and with caps alone the order of scores', () => {
  const attributes = new Attributes(shop());
  const input = fc.record({
    items: fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 12 }),
    k: fc.integer({ min: 1, max: 12 }),
    brand: fc.integer({ min: 1, max: 3 }),
    diversity: fc.constantFrom(0, 0.3, 1),
  });
  fc.assert(
    fc.property(input, ({ items, k, brand, diversity }) => {
      const candidates = {
        items: Int32Array.from(items),
        scores: Float32Array.from(items, (_, i) => 20 - i),
      };
      const { items: list } = select(candidates, k, {
        attributes,
        most: new Map([['brand', brand]]),
        diversity,
      });
      assert.equal(new Set(list).size, list.length);
      const counts = [0, 0, 0];
      for (const item of list) counts[item % 3]!++;
      assert(Math.max(...counts) <= brand, `${counts}`);
      const places = [...list].map((item) => items.indexOf(item));
      if (diversity === 0)
        assert.deepEqual(
          places,
          places.toSorted((a, b) => a - b),
        );
      // Shorter than asked only where no candidate would fit.
      if (list.length < Math.min(k, items.length))
        for (const item of items) if (!list.includes(item)) assert.equal(counts[item % 3], brand);
    }),
  );
});

test('rules on what no item has name the setting and what there is', async () => {
  const wrong: [object, RegExp][] = [
    [
      { rules: [{ attribute: 'size', values: ['L'], exclude: true }] },
      /lists\.rules\.0: items have no attribute “size”/,
    ],
    [
      { rules: [{ attribute: 'brand', values: ['b9'], boost: 2 }] },
      /lists\.rules\.0: no item has brand “b9”/,
    ],
    [{ most: { size: 2 } }, /lists\.most\.size/],
  ];
  for (const [config, message] of wrong)
    await assert.rejects(opened(config), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'CONFIG_INVALID');
      assert.match(error.message, message);
      return true;
    });
  assert.throws(() => listsSchema.parse({ rules: [{ attribute: 'a', values: ['b'] }] }), /either/);
});

test('what cannot be had is in no list, from the second after the file says so', async (t) => {
  const file = join(await temporary(t), 'unavailable.txt');
  await assert.rejects(Availability.open(file, quiet), { code: 'FILE_MISSING' });
  await writeFile(file, '# sold out\ni1\n\ni3\r\nnobody knows this\n');
  let now = 0;
  const context = recordingContext();
  const availability = await Availability.open(file, context.log, () => now);
  const ids = async () => [...(await availability.unavailable())];
  assert.deepEqual(await ids(), ['i1', 'i3', 'nobody knows this']);
  await writeFile(file, 'i2\n');
  assert.deepEqual(await ids(), ['i1', 'i3', 'nobody knows this'], 'not yet');
  now += 1000;
  assert.deepEqual(await ids(), ['i2']);
  await rm(file);
  now += 1000;
  assert.deepEqual(await ids(), ['i2'], 'what was last read holds');
  now += 1000;
  await ids();
  assert.equal(context.lines.filter((line) => line.startsWith('warn')).length, 1, 'said once');
  await writeFile(file, '');
  await utimes(file, 1, 1);
  now += 1000;
  assert.deepEqual(await ids(), []);
  assert.match(context.lines.at(-1)!, /can be read again/);
});

test('the service’s lists follow the rules, for known users and for those nothing is known of', async (t) => {
  const known = shop();
  const file = join(await temporary(t), 'unavailable.txt');
  await writeFile(file, 'i3\n');
  const lists = {
    rules: [{ attribute: 'colour', values: ['red'], exclude: true }],
    most: { brand: 1 },
    unavailable: file,
  };
  const { app } = await startServer(t, { catalogue: known, learner: new CountingLearner(known), lists });
  for (const user of ['u1', 'nobody']) {
    const { items } = (await app.inject({ url: `/v1/recommendations?user=${user}&k=5` })).json();
    // i1 (b1), i5 (b2), i9 (b0): i3 is sold out, the even ones are red, the rest is of brands that are there.
    assert.deepEqual(
      items.map(({ item }: { item: string }) => item),
      ['i1', 'i5', 'i9'],
      user,
    );
  }
});
