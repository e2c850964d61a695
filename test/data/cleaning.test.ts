import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RecsysError } from '../../src/errors.js';
import { csvOf, failure, prepared, ROWS, type Row, rowsOf } from './helpers.js';

const split = { kind: 'user-ratio', order: 'temporal', test: 0.5, validation: 0 };

const repeats: Row[] = [
  ['a', 'x', 3, 1],
  ['a', 'x', 1, 2],
  ['a', 'y', 2, 3],
  ['a', 'x', 1, 4],
  ['b', 'x', 5, 5],
  ['b', 'y', 6, 5],
];

for (const [duplicates, values] of [
  ['keep', [2, 4, 3, 1, 5, 5]],
  ['first', [2, 3, 5, 5]],
  ['last', [3, 1, 5, 5]],
] as const) {
  test(`duplicates: ${duplicates}; equal times keep the order of the file`, async (t) => {
    const dataset = await prepared(
      t,
      { 'rows.csv': csvOf(repeats) },
      { interactions: ROWS, split, cleaning: { duplicates } },
    );
    assert.deepEqual(
      rowsOf(dataset).map((r) => r.value),
      values,
    );
  });
}

test('minimum value, time range and behaviours, each in the funnel', async (t) => {
  const text =
    'user,item,time,value,what\n1,a,10,5,buy\n1,b,20,2,buy\n1,c,30,5,view\n1,d,40,5,buy\n1,e,50,,buy\n1,f,20,3,buy\n';
  const dataset = await prepared(
    t,
    { 'rows.csv': text },
    {
      interactions: { ...ROWS, columns: { ...ROWS.columns, behaviour: 'what' } },
      split,
      cleaning: {
        behaviours: ['buy'],
        minValue: 3,
        from: '1970-01-01T00:00:20',
        until: '1970-01-01T00:00:50',
      },
    },
  );
  assert.deepEqual(
    rowsOf(dataset).map((r) => r.item),
    ['f', 'd'],
  );
  assert.deepEqual(
    dataset.manifest.funnel.map((f) => f.rows),
    [6, 5, 3, 2, 2],
  );
});

test('a value below float precision still meets its own minimum', async (t) => {
  const rows: Row[] = [
    ['1', 'a', 1, 0.1],
    ['1', 'b', 2, 0.1],
  ];
  const dataset = await prepared(
    t,
    { 'rows.csv': csvOf(rows) },
    { interactions: ROWS, split, cleaning: { minValue: 0.1 } },
  );
  assert.equal(dataset.interactions.length, 2);
});

test('nothing left: the filter that removed most is named', async (t) => {
  const rows: Row[] = [
    ['1', 'a', 1, 1],
    ['1', 'b', 2, 1],
    ['2', 'a', 3, 5],
  ];
  await assert.rejects(
    prepared(
      t,
      { 'rows.csv': csvOf(rows) },
      { interactions: ROWS, split, cleaning: { minValue: 4, core: { user: 5 } } },
    ),
    failure('DATA_EMPTY', 'minValue removed most (2 of 3 rows)'),
  );
  await assert.rejects(
    prepared(t, { 'rows.csv': csvOf(rows) }, { interactions: ROWS, split, cleaning: { core: { item: 9 } } }),
    failure('DATA_EMPTY', 'core (keeps items with at least 9 rows) removed most (3 of 3 rows)'),
  );
  await assert.rejects(
    prepared(t, { 'rows.csv': csvOf([]) }, { interactions: ROWS, split }),
    (error: RecsysError) =>
      error.code === 'DATA_EMPTY' &&
      error.message === 'rows.csv: no data rows' &&
      /first line/.test(error.remedy),
  );
  const refused = csvOf([['1', '', 1, 1]]);
  await assert.rejects(
    prepared(t, { 'rows.csv': refused }, { interactions: ROWS, split, rejectLimit: 1 }),
    failure('DATA_EMPTY', 'no row can be read (1 refused); most often: item id is empty'),
  );
});

test('a filter on what the data do not have is refused', async (t) => {
  const files = { 'rows.csv': csvOf(repeats) };
  const { time, ...untimed } = ROWS.columns;
  assert.ok(time);
  const random = { kind: 'user-ratio', order: 'random', test: 0.5 };
  await assert.rejects(
    prepared(t, files, {
      interactions: { ...ROWS, columns: untimed },
      split: random,
      cleaning: { from: '2020-01-01' },
    }),
    failure('CONFIG_INVALID', 'cleaning.from', 'no time column'),
  );
  await assert.rejects(
    prepared(t, files, { interactions: ROWS, split, cleaning: { behaviours: ['buy'] } }),
    failure('CONFIG_INVALID', '"buy"', 'interaction'),
  );
  await assert.rejects(
    prepared(t, files, { interactions: ROWS, split, cleaning: { until: 'soon' } }),
    failure('CONFIG_INVALID', 'cleaning.until', 'soon'),
  );
});

/** k-core by hand. */
function core(rows: readonly Row[], user: number, item: number): Row[] {
  let kept = [...rows];
  for (;;) {
    const count = (at: 0 | 1, id: string) => kept.filter((r) => r[at] === id).length;
    const next = kept.filter((r) => count(0, r[0]) >= user && count(1, r[1]) >= item);
    if (next.length === kept.length) return kept;
    kept = next;
  }
}

test('k-core equals the naive fixed point (property)', async () => {
  const id = fc.integer({ min: 0, max: 7 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(id, id), { minLength: 5, maxLength: 50 }),
      fc.integer({ min: 0, max: 4 }),
      fc.integer({ min: 0, max: 4 }),
      async (pairs, user, item) => {
        const rows = pairs.map(([u, i], n): Row => [`u${u}`, `i${i}`, n]);
        const expected = core(rows, user, item).map((r) => r[2]);
        const work = prepared(
          undefined,
          { 'rows.csv': csvOf(rows) },
          {
            interactions: ROWS,
            cleaning: { core: { user, item } },
            split: { kind: 'cold', users: { fraction: 0.5 }, validation: 0 },
          },
        );
        if (expected.length === 0) return assert.rejects(work, failure('DATA_EMPTY'));
        const dataset = await work.catch((error: unknown) => failure('SPLIT_IMPOSSIBLE')(error) && undefined);
        if (!dataset) return;
        assert.deepEqual(
          rowsOf(dataset)
            .map((r) => r.time / 1000)
            .sort((a, b) => a - b),
          expected,
        );
      },
    ),
    { numRuns: 8 },
  );
});
