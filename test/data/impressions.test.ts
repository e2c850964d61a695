import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readImpressions } from '../../src/data/read-impressions.js';
import { prepareSchema } from '../../src/data/schema.js';
import { failure, prepared, rowsOf } from './helpers.js';

/** Days of January 2020: user, day, history, shown. */
const log = (...lines: readonly (readonly [string, number, string, string])[]): string =>
  lines
    .map(([user, day, history, shown], n) => `${n + 1}\t${user}\t1/${day}/2020\t${history}\t${shown}\n`)
    .join('');

const LOG = log(
  ['u', 1, 'h1 h2', 'a-0 b-1 c-1'],
  ['v', 2, 'h1', 'd-1 b-0'],
  ['u', 3, 'h1 h2', 'e-0 a-1 d-0 e-0'],
  ['v', 4, 'h1', 'f-0 c-1'],
  ['w', 4, 'h3', 'a-0 c-0'],
);
const CONFIG = {
  interactions: { path: 'b.tsv', format: 'mind', timeFormat: '%m/%d/%Y', impressions: true },
  split: { kind: 'global-time', validation: '2020-01-03', test: '2020-01-04' },
};

test('impressions are kept with what was not clicked, in the part of their clicks', async (t) => {
  const dataset = await prepared(t, { 'b.tsv': LOG }, CONFIG);
  const { items, users } = dataset.catalogue;
  // w clicked nothing: the history is known, the impression is of no use.
  assert.deepEqual(dataset.manifest.impressions, {
    train: 2,
    validation: 1,
    test: 1,
    withoutClick: 1,
    acrossParts: 0,
  });
  const of = async (part: 'train' | 'validation' | 'test') => {
    const found = await readImpressions(dataset, part);
    return Array.from({ length: found.length }, (_, n) => ({
      number: found.number[n],
      user: users[dataset.interactions.user[found.row[n]!]!],
      first: items[dataset.interactions.item[found.row[n]!]!],
      shown: Array.from(
        { length: found.offsets[n + 1]! - found.offsets[n]! },
        (_, i) => `${items[found.item[found.offsets[n]! + i]!]}-${found.clicked[found.offsets[n]! + i]}`,
      ).join(' '),
    }));
  };
  assert.deepEqual(await of('train'), [
    { number: 1, user: 'u', first: 'b', shown: 'a-0 b-1 c-1' },
    { number: 2, user: 'v', first: 'd', shown: 'd-1 b-0' },
  ]);
  assert.deepEqual(await of('validation'), [{ number: 3, user: 'u', first: 'a', shown: 'e-0 a-1 d-0' }]);
  assert.deepEqual(await of('test'), [{ number: 4, user: 'v', first: 'c', shown: 'f-0 c-1' }]);
  // Items that were shown alone come after those of the rows.
  assert.deepEqual(items, ['', 'h1', 'h2', 'b', 'c', 'd', 'a', 'h3', 'e', 'f']);
  // What was shown is no interaction; a history is older than the log.
  assert.deepEqual(
    rowsOf(dataset).map(({ user, item, split }) => `${user} ${item} ${split}`),
    [
      'u h1 train',
      'u h2 train',
      'u b train',
      'u c train',
      'u a validation',
      'v h1 train',
      'v d train',
      'v c test',
      'w h3 train',
    ],
  );
});

test('without the setting a dataset is as it was, and says what to do when it is asked', async (t) => {
  const { impressions: _, ...interactions } = CONFIG.interactions;
  const plain = await prepared(t, { 'b.tsv': LOG }, { ...CONFIG, interactions });
  assert.equal(plain.manifest.impressions, undefined);
  assert.equal(plain.manifest.files['impressions.parquet'], undefined);
  assert.equal(plain.catalogue.items.includes('f'), false);
  await assert.rejects(readImpressions(plain, 'test'), failure('DATA_EMPTY', 'keeps no impressions'));
});

test('the fingerprint tells what was shown and what was clicked of it', async (t) => {
  const [one, same, other] = await Promise.all(
    [LOG, LOG, LOG.replace('f-0', 'a-0')].map((text) => prepared(t, { 'b.tsv': text }, CONFIG)),
  );
  assert.equal(one!.manifest.fingerprint, same!.manifest.fingerprint);
  assert.notEqual(one!.manifest.fingerprint, other!.manifest.fingerprint);
});

test('clicks in several parts, and clicks that cleaning removed, leave an impression out', async (t) => {
  const split = { kind: 'leave-last-out' };
  const { manifest } = await prepared(t, { 'b.tsv': LOG }, { ...CONFIG, split });
  // u: h1 h2 b c | a: c, of the first impression, is for validation.
  assert.deepEqual(manifest.impressions, {
    train: 0,
    validation: 1,
    test: 2,
    withoutClick: 1,
    acrossParts: 1,
  });
  const cleaning = { until: '2020-01-04' };
  const kept = await prepared(
    t,
    { 'b.tsv': LOG },
    { ...CONFIG, cleaning, split: { ...CONFIG.split, validation: '2020-01-02', test: '2020-01-03' } },
  );
  assert.deepEqual(kept.manifest.impressions, {
    train: 1,
    validation: 1,
    test: 1,
    withoutClick: 2,
    acrossParts: 0,
  });
});

test('two files may name their impressions alike', async (t) => {
  const files = {
    'b1.tsv': log(['u', 1, 'h', 'a-1 b-0']),
    'b2.tsv': log(['u', 4, 'h', 'b-1 a-0'], ['u', 3, 'h', 'a-1 c-0']),
  };
  const interactions = { ...CONFIG.interactions, path: ['b1.tsv', 'b2.tsv'] };
  const { manifest } = await prepared(t, files, { ...CONFIG, interactions });
  assert.deepEqual(manifest.impressions, {
    train: 1,
    validation: 1,
    test: 1,
    withoutClick: 0,
    acrossParts: 0,
  });
});

test('a candidate without its label refuses the line, with file and line', async (t) => {
  const text = `${LOG}6\tu\t1/4/2020\th1 h2\ta-1 b\n`;
  await assert.rejects(
    prepared(t, { 'b.tsv': text }, CONFIG),
    failure('TOO_MANY_REJECTED', 'a shown item is neither item-0 nor item-1', 'b.tsv:6: b'),
  );
  const dataset = await prepared(undefined, { 'b.tsv': text }, { ...CONFIG, rejectLimit: 0.5 });
  assert.equal(dataset.manifest.counts.rejected, 1);
  assert.equal(dataset.manifest.counts.interactions, 9);
  assert.equal(dataset.manifest.impressions!.test, 1);
});

test('only format mind has impressions', () => {
  const columns = { user: 'u', item: 'i' };
  const { error } = prepareSchema.safeParse({ interactions: { path: 'a.csv', columns, impressions: true } });
  assert.match(error!.issues[0]!.message, /only format mind/);
});
