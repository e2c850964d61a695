import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { prepare } from '../../src/data/prepare.js';
import { readDataset } from '../../src/data/read.js';
import { prepareSchema } from '../../src/data/schema.js';
import { context, folder, REAL, without } from './helpers.js';

/** Ready YAML → folder of the data and the counts their READMEs state. */
const expected = {
  'movielens-100k': [
    'ml-100k',
    { users: 943, items: 1682, interactions: 100_000, train: 98_114, validation: 943, test: 943 },
  ],
  'movielens-1m': [
    'ml-1m',
    { users: 6040, items: 3416, interactions: 999_611, validation: 6040, test: 6040 },
  ],
  's3rec-beauty': ['s3rec-beauty-lastfm', { users: 22_363, items: 12_101, interactions: 198_502 }],
  's3rec-lastfm': ['s3rec-beauty-lastfm', { users: 1090, items: 3646, interactions: 52_551 }],
  'sasrec-beauty': ['sasrec-beauty', { users: 40_226, items: 54_542, interactions: 353_962 }],
  retailrocket: ['retailrocket-mb', { users: 2174, items: 29_905, interactions: 97_381 }],
  lastfm: ['hetrec2011-lastfm-2k', { users: 1892, items: 17_632, interactions: 92_834 }],
  mind: ['mind-small-sample', { users: 4637, interactions: 138_932 + 7_542 }],
  grocery: [
    'completejourney',
    { users: 2444, items: 5009, interactions: 925_195, validation: 18_819, test: 16_840 },
  ],
} as const;

for (const [name, [data, counts]] of Object.entries(expected)) {
  // The largest take many seconds: on request only.
  const slow =
    ['movielens-1m', 'sasrec-beauty', 'grocery'].includes(name) &&
    process.env.RECSYS_SLOW_TESTS === undefined;
  const skip = without(data) || (slow ? 'set RECSYS_SLOW_TESTS=1 to run' : false);
  test(`ready YAML ${name}: the counts of its README`, { skip }, async (t) => {
    const file = join(import.meta.dirname, '../../configs', name, 'prepare.yaml');
    const config = prepareSchema.parse({ ...parse(await readFile(file, 'utf8')), raw: join(REAL, data) });
    const out = join(await folder(t), 'out');
    await mkdir(out);
    const manifest = await prepare(config, out, context());
    assert.deepEqual({ ...manifest.counts, ...counts }, manifest.counts);
    assert.equal(manifest.counts.rejected, 0);
    const dataset = await readDataset(out);
    const byBehaviour = dataset.catalogue.behaviours.map(
      (_, b) => dataset.interactions.behaviour.filter((x) => x === b).length,
    );
    if (name === 'movielens-100k') {
      assert.equal(manifest.ties.usersTiedAtLast, 415);
      assert.equal(dataset.catalogue.itemFeatures.tokenNames.length, 1 + 19);
      assert.ok(dataset.catalogue.titles.includes('Misérables, Les (1995)'));
    }
    if (name === 'retailrocket') assert.deepEqual(byBehaviour, [75_374, 12_456, 9_551]);
    if (name === 's3rec-beauty') assert.equal(dataset.catalogue.itemFeatures.tokenNames.length, 1 + 637);
    if (name === 's3rec-lastfm') assert.equal(dataset.catalogue.itemFeatures.tokenNames.length, 1 + 388);
    if (name === 'grocery') assert.equal(manifest.funnel[0]?.rows, 1_469_307);
    if (name === 'mind') {
      assert.equal(manifest.funnel[0]?.rows, 159_802 + 7_542);
      assert.deepEqual(byBehaviour, [138_932, 7_542]);
    }
  });
}
