import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Dataset } from '../../src/data/dataset.js';
import { prepareSchema } from '../../src/data/schema.js';
import { csvOf, failure, prepared, ROWS, type Row, rowsOf } from './helpers.js';

const byUser = (dataset: Dataset) => {
  const users = new Map<string, ReturnType<typeof rowsOf>>();
  for (const row of rowsOf(dataset)) users.set(row.user, [...(users.get(row.user) ?? []), row]);
  return users;
};

/** Three users with the given numbers of rows, times rising. */
const ladder = (...counts: number[]): Row[] =>
  counts.flatMap((n, u) => Array.from({ length: n }, (_, k): Row => [`u${u}`, `i${k}`, 100 * u + k]));

test('leave-last-out: last row test, second last validation, short users train only', async (t) => {
  const dataset = await prepared(t, { 'rows.csv': csvOf(ladder(4, 2, 3)) }, { interactions: ROWS });
  const parts = [...byUser(dataset).values()].map((rows) => rows.map((r) => r.split[0]).join(''));
  assert.deepEqual(parts, ['ttvt', 'tt', 'tvt']);
  assert.deepEqual(dataset.manifest.counts, {
    users: 3,
    items: 4,
    interactions: 9,
    train: 5,
    validation: 2,
    test: 2,
    rejected: 0,
  });
});

test('leave-last-out of several rows, and without validation', async (t) => {
  const split = { kind: 'leave-last-out', validation: 0, test: 2 };
  const dataset = await prepared(t, { 'rows.csv': csvOf(ladder(5)) }, { interactions: ROWS, split });
  assert.deepEqual(
    rowsOf(dataset).map((r) => r.split),
    ['train', 'train', 'train', 'test', 'test'],
  );
});

test('one user with too few rows: leave-last-out is impossible', async (t) => {
  await assert.rejects(
    prepared(t, { 'rows.csv': csvOf(ladder(2)) }, { interactions: ROWS }),
    failure('SPLIT_IMPOSSIBLE', 'at least 3 rows', 'has 2'),
  );
});

test('ties: users whose last two rows carry the same time are counted, and keep the order of the file', async (t) => {
  const rows: Row[] = [
    ['a', 'x', 5],
    ['b', 'x', 1],
    ['a', 'y', 7],
    ['b', 'y', 2],
    ['a', 'z', 7],
    ['b', 'z', 3],
  ];
  const dataset = await prepared(t, { 'rows.csv': csvOf(rows) }, { interactions: ROWS });
  assert.equal(dataset.manifest.ties.usersTiedAtLast, 1);
  assert.deepEqual(
    rowsOf(dataset).map((r) => r.item),
    ['x', 'y', 'z', 'x', 'y', 'z'],
  );
});

test('global-time: rows of one time stay together; ISO times may be given', async (t) => {
  const rows = Array.from(
    { length: 20 },
    (_, n): Row => [`u${n % 3}`, `i${n % 5}`, Math.floor(n / 2) * 86_400],
  );
  const shares = await prepared(
    t,
    { 'rows.csv': csvOf(rows) },
    { interactions: ROWS, split: { kind: 'global-time', validation: 0.2, test: 0.2 } },
  );
  const { train, validation, test: held } = shares.manifest.counts;
  assert.deepEqual([train, validation, held], [12, 4, 4]);
  const dates = await prepared(
    t,
    { 'rows.csv': csvOf(rows) },
    {
      interactions: ROWS,
      split: { kind: 'global-time', validation: '1970-01-08', test: '1970-01-10T00:00:00' },
    },
  );
  assert.deepEqual(
    [dates.manifest.counts.train, dates.manifest.counts.validation, dates.manifest.counts.test],
    [14, 4, 2],
  );
  await assert.rejects(
    prepared(
      t,
      { 'rows.csv': csvOf(rows) },
      { interactions: ROWS, split: { kind: 'global-time', validation: '1970-01-09', test: '1970-01-05' } },
    ),
    failure('CONFIG_INVALID', 'split.validation'),
  );
});

test('user-ratio: shares are exact; a random one repeats with its seed and changes with another', async (t) => {
  const files = { 'rows.csv': csvOf(ladder(30, 10)) };
  const split = (order: string) => ({ kind: 'user-ratio', validation: 0.1, test: 0.2, order });
  const last = await prepared(t, files, { interactions: ROWS, split: split('temporal') });
  assert.deepEqual(
    [...byUser(last).values()].map((rows) =>
      rows.map((r) => r.split[0] === 't' && r.split[1] === 'e').lastIndexOf(false),
    ),
    [23, 7],
  );
  const [a, b, c] = await Promise.all(
    [1, 1, 2].map((seed) => prepared(t, files, { interactions: ROWS, split: split('random'), seed })),
  );
  assert.deepEqual([a!.manifest.counts.validation, a!.manifest.counts.test], [4, 8]);
  assert.equal(a!.manifest.fingerprint, b!.manifest.fingerprint);
  assert.notEqual(a!.manifest.testSetHash, c!.manifest.testSetHash);
});

test('cold users × cold items: none of them trains; attributes and first times can decide', async (t) => {
  const rows = Array.from(
    { length: 200 },
    (_, n): Row => [`u${n % 20}`, `i${(n * 7 + Math.floor(n / 20)) % 30}`, 1000 + n],
  );
  const files = {
    'rows.csv': csvOf(rows),
    'items.csv': `id,year\n${Array.from({ length: 30 }, (_, n) => `i${n},${1990 + (n % 10)}\n`).join('')}`,
  };
  const items = [{ path: 'items.csv', id: 'id', attributes: { year: { column: 'year', type: 'number' } } }];
  const dataset = await prepared(t, files, {
    interactions: ROWS,
    items,
    split: {
      kind: 'cold',
      users: { fraction: 0.25 },
      items: { attribute: 'year', from: 1998 },
      validation: 0.1,
    },
  });
  const warm = rowsOf(dataset).filter((r) => r.split !== 'test');
  const users = new Set(warm.map((r) => r.user));
  assert.equal(users.size, 15);
  for (const row of rowsOf(dataset)) {
    const isNew = Number(row.item.slice(1)) % 10 >= 8;
    assert.equal(row.split === 'test', isNew || !users.has(row.user));
  }
  // The year's scale is fitted on films that train.
  const { numbers } = dataset.catalogue.itemFeatures;
  const train = [...dataset.catalogue.itemCounts].flatMap((n, i) => (n > 0 ? [numbers[i]!] : []));
  assert.ok(Math.abs(train.reduce((a, b) => a + b, 0)) < 1e-4);

  const late = await prepared(t, files, {
    interactions: ROWS,
    split: { kind: 'cold', users: { firstSeenFrom: '1970-01-01T00:16:50' } },
  });
  assert.deepEqual(
    new Set(rowsOf(late).flatMap((r) => (r.split === 'test' ? [r.user] : []))),
    new Set(Array.from({ length: 10 }, (_, n) => `u${n + 10}`)),
  );
  await assert.rejects(
    prepared(t, files, {
      interactions: ROWS,
      items,
      split: { kind: 'cold', items: { attribute: 'yaer', from: 1 } },
    }),
    failure('CONFIG_INVALID', '"yaer"', 'year'),
  );
});

test('cold users in order of time: the last share of each other user validates', async (t) => {
  const rows = Array.from({ length: 100 }, (_, n): Row => [`u${n % 4}`, `i${n % 7}`, 5000 - n]);
  const dataset = await prepared(
    t,
    { 'rows.csv': csvOf(rows) },
    {
      interactions: ROWS,
      split: { kind: 'cold', order: 'temporal', users: { fraction: 0.25 }, validation: 0.1 },
    },
  );
  const parts = ['u0', 'u1', 'u2', 'u3'].map((user) =>
    rowsOf(dataset).flatMap((row) => (row.user === user ? [row.split] : [])),
  );
  const known = [...Array(23).fill('train'), 'validation', 'validation'];
  const unknown = Array(25).fill('test');
  assert.equal(parts.filter(([first]) => first === 'test').length, 1);
  for (const part of parts) assert.deepEqual(part, part[0] === 'test' ? unknown : known);
});

test('catalogue train: held-out rows of items without training rows are dropped and counted', async (t) => {
  const rows: Row[] = [
    ['a', 'x', 1],
    ['a', 'y', 2],
    ['a', 'x', 3],
    ['a', 'new', 4],
    ['b', 'y', 1],
    ['b', 'y', 2],
    ['b', 'x', 3],
  ];
  const train = await prepared(
    t,
    { 'rows.csv': csvOf(rows) },
    { interactions: ROWS, split: { kind: 'leave-last-out', catalogue: 'train' } },
  );
  assert.equal(train.manifest.droppedUnknownItems, 1);
  assert.deepEqual(train.catalogue.items, ['', 'x', 'y']);
  const all = await prepared(
    t,
    { 'rows.csv': csvOf(rows) },
    { interactions: ROWS, split: { kind: 'leave-last-out', catalogue: 'all' } },
  );
  assert.deepEqual(all.catalogue.items, ['', 'x', 'y', 'new']);
  assert.deepEqual([...all.catalogue.itemCounts], [0, 1, 2, 0]);
});

test('what contradicts the declared order or catalogue is refused', async (t) => {
  const bad = (split: object) =>
    prepareSchema.safeParse({ interactions: ROWS, split }).error?.issues[0]?.path.join('.');
  assert.equal(bad({ kind: 'leave-last-out', order: 'random' }), 'split.order');
  assert.equal(bad({ kind: 'global-time', order: 'random' }), 'split.order');
  assert.equal(bad({ kind: 'cold', order: 'temporal', users: { fraction: 0.1 } }), undefined);
  assert.equal(bad({ kind: 'cold', order: 'temporal', items: { fraction: 0.1 } }), 'split.order');
  assert.equal(bad({ kind: 'cold', catalogue: 'train', items: { fraction: 0.1 } }), 'split.catalogue');
  assert.equal(bad({ kind: 'user-ratio', order: 'random' }), undefined);
  const { time, ...untimed } = ROWS.columns;
  assert.ok(time);
  const files = { 'rows.csv': csvOf(ladder(5, 5)) };
  await assert.rejects(
    prepared(t, files, { interactions: { ...ROWS, columns: untimed } }),
    failure('SPLIT_IMPOSSIBLE', 'order: temporal', 'neither time nor order'),
  );
  await assert.rejects(
    prepared(t, files, {
      interactions: { ...ROWS, columns: { ...untimed, order: 'time' } },
      split: { kind: 'global-time' },
    }),
    failure('SPLIT_IMPOSSIBLE', 'global-time needs a time'),
  );
});

const rows = fc
  .array(
    fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 12 })),
    { minLength: 12, maxLength: 60 },
  )
  .map((list) => list.map(([u, i, time], n): Row => [`u${u}`, `i${i}`, time, n]));
const temporal = fc.constantFrom(
  { kind: 'leave-last-out' },
  { kind: 'leave-last-out', validation: 2, test: 2 },
  { kind: 'user-ratio', order: 'temporal', validation: 0.2, test: 0.3 },
  { kind: 'global-time', validation: 0.2, test: 0.3 },
);

test('temporal splits: every row once, in order, none held out before one that trains (property)', async () => {
  await fc.assert(
    fc.asyncProperty(rows, temporal, fc.constantFrom('all', 'train'), async (list, split, catalogue) => {
      const dataset = await prepared(
        undefined,
        { 'rows.csv': csvOf(list) },
        { interactions: ROWS, split: { ...split, catalogue } },
      ).catch((error: unknown) => failure('SPLIT_IMPOSSIBLE')(error) && undefined);
      if (!dataset) return;
      const found = rowsOf(dataset);
      const values = found.map((r) => r.value).sort((a, b) => a - b);
      assert.equal(new Set(values).size, values.length);
      assert.equal(values.length + dataset.manifest.droppedUnknownItems, list.length);
      const groups = split.kind === 'global-time' ? [found] : [...byUser(dataset).values()];
      for (const group of groups) {
        const last = Math.max(...group.map((r) => (r.split === 'train' ? r.time : -1)));
        const first = Math.min(
          ...group.map((r) => (r.split === 'train' ? Number.POSITIVE_INFINITY : r.time)),
        );
        assert.ok(last <= first);
      }
      for (const group of byUser(dataset).values())
        group.slice(1).forEach((row, n) => {
          const before = group[n]!;
          assert.ok(before.time < row.time || (before.time === row.time && before.value < row.value));
        });
      const { offsets, user } = dataset.interactions;
      user.forEach((u, r) => {
        assert.ok(offsets[u]! <= r && r < offsets[u + 1]!);
      });
      if (catalogue === 'train')
        assert.ok(
          found.every((r) => dataset.catalogue.itemCounts[dataset.catalogue.items.indexOf(r.item)]! > 0),
        );
    }),
    { numRuns: 10 },
  );
});
