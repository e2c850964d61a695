import assert from 'node:assert/strict';
import { appendFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { eventHashes } from '../../src/data/events.js';
import { prepare } from '../../src/data/prepare.js';
import { readDataset } from '../../src/data/read.js';
import { prepareSchema } from '../../src/data/schema.js';
import type { FeatureTable } from '../../src/types.js';
import { context, csvOf, failure, folder, prepared, ROWS, type Row, rowsOf } from './helpers.js';

const rows: Row[] = [
  ['a', 'x', 1, 5],
  ['b', 'y', 1, 4],
  ['a', 'y', 2, 3],
  ['a', 'z', 3, 2],
  ['b', 'x', 2, 1],
  ['b', 'z', 3, 5],
];

/** Token names of one entity. */
const tokensOf = (f: FeatureTable, at: number) =>
  [...f.tokens.subarray(at * f.width, (at + 1) * f.width)]
    .filter((token) => token > 0)
    .map((token) => f.tokenNames[token]);

test('attributes of every type; tokens and scales are fitted on training rows only', async (t) => {
  const items =
    'id;name;kind;labels;price;since;action;drama\nx;Ex;A;p, q,p;10;2020-01-01;1;0\ny;Why;B;;30;2020-01-03;1;1\nz;;C;r;;;0;0\nq;Q;D;s;7;2020-01-01;0;1\n';
  const dataset = await prepared(
    t,
    {
      'rows.csv': csvOf(rows),
      'items.csv': items,
      'users.jsonl': '{"id":"a","about":"Loves films"}\n{"id":"b","about":"films, FILMS!"}\n',
    },
    {
      interactions: ROWS,
      items: [
        {
          path: 'items.csv',
          delimiter: ';',
          id: 'id',
          title: 'name',
          attributes: {
            kind: { column: 'kind', type: 'category' },
            label: { column: 'labels', type: 'tags', separator: ',' },
            genre: { type: 'tags', flags: { Action: 'action', Drama: 'drama' } },
            price: { column: 'price', type: 'number' },
            since: { column: 'since', type: 'date' },
          },
        },
      ],
      users: [
        {
          path: 'users.jsonl',
          id: 'id',
          attributes: { about: { column: 'about', type: 'text', minCount: 2 } },
        },
      ],
    },
  );
  const { catalogue } = dataset;
  // z is the test item of both, q has no row at all: neither gives a token or counts for the scale.
  assert.deepEqual(catalogue.items, ['', 'x', 'y', 'z']);
  assert.deepEqual(catalogue.titles, ['', 'Ex', 'Why', '']);
  assert.deepEqual([...catalogue.itemCounts], [0, 1, 1, 0]);
  const f = catalogue.itemFeatures;
  assert.deepEqual(tokensOf(f, 1), ['kind=A', 'label=p', 'label=q', 'genre=Action']);
  assert.deepEqual(tokensOf(f, 2), ['kind=B', 'genre=Action', 'genre=Drama']);
  assert.deepEqual(tokensOf(f, 3), []);
  assert.deepEqual(f.numberNames, ['price', 'since']);
  assert.deepEqual([...f.numbers], [0, 0, -1, -1, 1, 1, 0, 0]);
  assert.deepEqual(tokensOf(catalogue.userFeatures, 1), ['about=films']);
  assert.deepEqual(dataset.manifest.attributes.items, {
    kind: 'category',
    label: 'tags',
    genre: 'tags',
    price: 'number',
    since: 'date',
  });
});

test('several attribute files; rows of one id join their tags; unseen items are numbered last on request', async (t) => {
  const files = {
    'rows.csv': csvOf(rows),
    'a.csv': 'id,tag\nx,p\nw,p\nx,q\nx,p\n',
    'b.csv': 'id,title\nx,Ex\nv,Vee\n',
  };
  const items = [
    { path: 'a.csv', id: 'id', attributes: { tag: { column: 'tag', type: 'tags' } } },
    { path: 'b.csv', id: 'id', title: 'title' },
  ];
  const dataset = await prepared(t, files, { interactions: ROWS, items, unseenItems: true });
  assert.deepEqual(dataset.catalogue.items, ['', 'x', 'y', 'z', 'w', 'v']);
  assert.deepEqual(tokensOf(dataset.catalogue.itemFeatures, 1), ['tag=p', 'tag=q']);
  assert.deepEqual(tokensOf(dataset.catalogue.itemFeatures, 4), ['tag=p']);
  assert.deepEqual(dataset.catalogue.titles, ['', 'Ex', '', '', '', 'Vee']);
});

test('behaviours: mapped names and weights first, others as they come; constants of several files', async (t) => {
  const dataset = await prepared(
    t,
    {
      'events.csv': 'user,item,time,what\n1,a,1,pv\n1,b,2,fav\n1,c,3,buy\n',
      'more.csv': 'user,item,time\n1,d,4\n',
    },
    {
      interactions: {
        path: 'events.csv',
        columns: { user: 'user', item: 'item', time: 'time', behaviour: 'what' },
      },
      additional: [
        { path: 'more.csv', columns: { user: 'user', item: 'item', time: 'time' }, behaviour: 'buy' },
      ],
      behaviours: { buy: { name: 'purchase', weight: 3 }, pv: { name: 'view', weight: 0.5 } },
    },
  );
  assert.deepEqual(dataset.manifest.behaviours, [
    { name: 'purchase', weight: 3 },
    { name: 'view', weight: 0.5 },
    { name: 'fav', weight: 1 },
  ]);
  assert.deepEqual(
    rowsOf(dataset).map((r) => r.behaviour),
    ['view', 'fav', 'purchase', 'purchase'],
  );
});

test('bad rows go to rejected.csv with file, line and reason', async (t) => {
  const good = csvOf(Array.from({ length: 30 }, (_, n): Row => [`u${n % 3}`, `i${n}`, n]));
  const bad = ',x,1,1\nu0,,1,1\nu0,x,soon,1\nu0,x,1,many\nu0,x\nu0,x,1,NaN\nu0,"\uFFFD, a",1,1\nu0,x,,1\n';
  const raw = await folder(t, { 'rows.csv': good + bad });
  const out = join(raw, 'out');
  await mkdir(out);
  const manifest = await prepare(
    prepareSchema.parse({ raw, interactions: ROWS, rejectLimit: 0.5 }),
    out,
    context(),
  );
  assert.equal(manifest.counts.rejected, 8);
  const lines = (await readFile(join(out, 'rejected.csv'), 'utf8')).trimEnd().split('\n');
  assert.deepEqual(lines, [
    'file,line,reason,raw',
    'rows.csv,32,user id is empty,",x,1,1"',
    'rows.csv,33,item id is empty,"u0,,1,1"',
    'rows.csv,34,time is not epoch-s,"u0,x,soon,1"',
    'rows.csv,35,value is not a number,"u0,x,1,many"',
    'rows.csv,36,missing columns,"u0,x"',
    'rows.csv,37,value is not a number,"u0,x,1,NaN"',
    'rows.csv,38,not valid UTF-8 (is it `encoding: latin-1`?),"u0,\uFFFD, a,1,1"',
    'rows.csv,39,time is empty,"u0,x,,1"',
  ]);
});

test('too many bad rows stop the stage and name the most frequent reason', async (t) => {
  const text = `${csvOf(rows)}a,x,never,1\na,x,1,bad\na,x,soon,1\n`;
  await assert.rejects(
    prepared(t, { 'rows.csv': text }, { interactions: ROWS }),
    failure(
      'TOO_MANY_REJECTED',
      '3 of 9 rows (33.3 %)',
      'most often (2): time is not epoch-s',
      'rows.csv:8: a,x,never,1',
    ),
  );
});

test('latin-1 read as UTF-8 is refused, not garbled', async (t) => {
  const files = { 'rows.csv': csvOf(rows), 'i.csv': Buffer.from('id,t\nx,Misérables\ny,Why\n', 'latin1') };
  const items = [{ path: 'i.csv', id: 'id', title: 't' }];
  await assert.rejects(
    prepared(t, files, { interactions: ROWS, items }),
    failure('TOO_MANY_REJECTED', 'latin-1', 'i.csv:2'),
  );
});

test('the fingerprint depends on contents only', async (t) => {
  const config = { interactions: ROWS };
  const base = await prepared(t, { 'rows.csv': csvOf(rows) }, config);
  const elsewhere = await prepared(
    t,
    { 'other.csv': csvOf(rows) },
    { interactions: { ...ROWS, path: 'other.csv' }, name: 'other', seed: 7 },
  );
  assert.equal(base.manifest.fingerprint, elsewhere.manifest.fingerprint);
  assert.equal(base.manifest.testSetHash, elsewhere.manifest.testSetHash);
  const changes: Row[][] = [
    rows.map((r, n) => (n === 0 ? ['a', 'x', 1, 4] : r)),
    rows.map((r, n) => (n === 0 ? ['a', 'x', 0, 5] : r)),
    rows.map((r, n) => (n === 0 ? ['a', 'xx', 1, 5] : r)),
  ];
  for (const changed of changes) {
    const other = await prepared(t, { 'rows.csv': csvOf(changed) }, config);
    assert.notEqual(other.manifest.fingerprint, base.manifest.fingerprint);
  }
  const split = await prepared(
    t,
    { 'rows.csv': csvOf(rows) },
    { ...config, split: { kind: 'leave-last-out', validation: 0 } },
  );
  assert.notEqual(split.manifest.fingerprint, base.manifest.fingerprint);
  assert.equal(split.manifest.testSetHash, base.manifest.testSetHash);
});

test('event hashes: sorted, equal for equal events whatever their numbers', async (t) => {
  const one = await prepared(t, { 'rows.csv': csvOf(rows) }, { interactions: ROWS });
  const other = await prepared(t, { 'rows.csv': csvOf([['c', 'new', 0], ...rows]) }, { interactions: ROWS });
  const [a, b] = [one, other].map((d) => eventHashes(d, 'test'));
  assert.equal(a!.length, 2);
  assert.deepEqual(a, b);
  const all = (['train', 'validation', 'test'] as const).flatMap((part) => [...eventHashes(one, part)]);
  assert.equal(new Set(all).size, rows.length);
});

test('extend keeps every number, token and scale, and what old items were (property)', async () => {
  const id = fc.integer({ min: 0, max: 12 });
  const list = fc.array(fc.tuple(id, id), { minLength: 8, maxLength: 30 });
  const attributes = (of: readonly Row[], tag: string) =>
    `id,tag,price\n${[...new Set(of.map((r) => r[1]))].map((i, n) => `${i},${tag}${n % 3},${n}\n`).join('')}`;
  const config = {
    interactions: ROWS,
    items: [
      {
        path: 'items.csv',
        id: 'id',
        attributes: { tag: { column: 'tag', type: 'tags' }, price: { column: 'price', type: 'number' } },
      },
    ],
    split: { kind: 'user-ratio', order: 'random', test: 0.5 },
  };
  await fc.assert(
    fc.asyncProperty(list, list, async (first, second) => {
      const [before, after] = [first, second].map((pairs) =>
        pairs.map(([u, i], n): Row => [`u${u}`, `i${i}`, n]),
      );
      // Two rows of one user so that there is a test row.
      for (const some of [before!, after!]) some.push(['u0', 'i0', 90], ['u0', 'i1', 91]);
      const raw = await folder(undefined, {
        'rows.csv': csvOf(before!),
        'items.csv': attributes(before!, 'a'),
      });
      const [out, next] = [join(raw, 'out'), join(raw, 'next')];
      await mkdir(out);
      await mkdir(next);
      await prepare(prepareSchema.parse({ raw, ...config }), out, context());
      await writeFile(join(raw, 'rows.csv'), csvOf(after!));
      await writeFile(join(raw, 'items.csv'), attributes(after!, 'b'));
      await prepare(prepareSchema.parse({ raw, ...config, extend: out }), next, context());
      const [old, grown] = [await readDataset(out), await readDataset(next)];
      await rm(raw, { recursive: true });
      for (const key of ['users', 'items'] as const) {
        assert.deepEqual(grown.catalogue[key].slice(0, old.catalogue[key].length), old.catalogue[key]);
        assert.equal(new Set(grown.catalogue[key]).size, grown.catalogue[key].length);
      }
      const [f, g] = [old.catalogue.itemFeatures, grown.catalogue.itemFeatures];
      assert.deepEqual(g.tokenNames.slice(0, f.tokenNames.length), f.tokenNames);
      const named = new Set(after!.map((r) => r[1]));
      old.catalogue.items.forEach((item, at) => {
        if (at === 0 || named.has(item)) return;
        assert.deepEqual(tokensOf(g, at), tokensOf(f, at));
        assert.equal(g.numbers[at], f.numbers[at]);
      });
      assert.equal(grown.manifest.extends, old.manifest.fingerprint);
    }),
    { numRuns: 4 },
  );
});

test('prefixed ids are others, but their attributes are shared with the dataset that is extended', async (t) => {
  const tagged = 'id,tag\ni0,red\ni1,blue\n';
  const of: readonly Row[] = [
    ['u0', 'i0', 1],
    ['u0', 'i1', 2],
    ['u0', 'i0', 3],
  ];
  const raw = await folder(t, { 'rows.csv': csvOf(of), 'items.csv': tagged });
  const tags = { tag: { column: 'tag', type: 'tags' } };
  const config = { raw, interactions: ROWS, items: [{ path: 'items.csv', id: 'id', attributes: tags }] };
  const [out, next] = [join(raw, 'out'), join(raw, 'next')];
  for (const dir of [out, next]) await mkdir(dir);
  await prepare(prepareSchema.parse(config), out, context());
  const idPrefix = { users: 'b:', items: 'b/' };
  await prepare(prepareSchema.parse({ ...config, idPrefix, extend: out }), next, context());
  const { catalogue } = await readDataset(next);
  assert.deepEqual(catalogue.users, ['', 'u0', 'b:u0']);
  assert.deepEqual(catalogue.items, ['', 'i0', 'i1', 'b/i0', 'b/i1']);
  const { itemFeatures } = catalogue;
  for (const item of [1, 2]) assert.deepEqual(tokensOf(itemFeatures, item + 2), tokensOf(itemFeatures, item));
  assert.notDeepEqual(tokensOf(itemFeatures, 3), tokensOf(itemFeatures, 4));
});

test('a damaged, incomplete or foreign directory is named', async (t) => {
  const dataset = await prepared(t, { 'rows.csv': csvOf(rows) }, { interactions: ROWS });
  const dir = dataset.path;
  const whole = await readFile(join(dir, 'interactions.parquet'));
  for (const name of ['items.parquet', 'features.safetensors', join('vocabulary', 'users.jsonl')]) {
    const content = await readFile(join(dir, name));
    await rm(join(dir, name));
    await assert.rejects(readDataset(dir), failure('DATASET_DAMAGED', name, 'missing'));
    await writeFile(join(dir, name), content);
  }
  await writeFile(join(dir, 'interactions.parquet'), whole.subarray(0, whole.length / 2));
  await assert.rejects(readDataset(dir), failure('DATASET_DAMAGED', 'interactions.parquet', 'bytes'));
  const flipped = Uint8Array.from(whole);
  flipped[40] = flipped[40]! ^ 1;
  await writeFile(join(dir, 'interactions.parquet'), flipped);
  await assert.rejects(readDataset(dir), failure('DATASET_DAMAGED', 'interactions.parquet', 'checksum'));
  const manifest = join(dir, 'manifest.json');
  await writeFile(manifest, JSON.stringify({ kind: 'checkpoint' }));
  await assert.rejects(readDataset(dir), failure('DATASET_DAMAGED', 'is a checkpoint'));
  await writeFile(manifest, JSON.stringify({ kind: 'dataset', formatVersion: 99 }));
  await assert.rejects(readDataset(dir), failure('DATASET_DAMAGED', 'format 99'));
  await appendFile(manifest, 'x');
  await assert.rejects(readDataset(dir), failure('DATASET_DAMAGED', 'manifest.json'));
  await rm(manifest);
  await assert.rejects(readDataset(dir), failure('FILE_MISSING', 'not a dataset'));
  await assert.rejects(readDataset(join(dir, 'absent')), failure('FILE_MISSING', 'absent'));
});

test('an interrupted run says so and leaves no staging files', async (t) => {
  const raw = await folder(t, {
    'rows.csv': csvOf(Array.from({ length: 5000 }, (_, n): Row => [`u${n % 9}`, `i${n}`, n])),
  });
  for (const at of ['reading rows.csv', 'cleaning', 'sorting']) {
    const controller = new AbortController();
    const out = join(raw, at);
    await mkdir(out);
    const stopping = {
      ...context(controller.signal),
      progress: (e: { task: string }) => e.task === at && controller.abort(),
    };
    await assert.rejects(
      prepare(prepareSchema.parse({ raw, interactions: ROWS }), out, stopping),
      failure('INTERRUPTED'),
    );
    assert.ok(!(await readdir(out)).includes('staging'));
  }
});

test('a memory limit too small for the work is a clear error or works; never a crash', async (t) => {
  const many = Array.from({ length: 20_000 }, (_, n): Row => [`u${n % 900}`, `i${(n * 31) % 4000}`, n]);
  const dataset = await prepared(t, { 'rows.csv': csvOf(many) }, { interactions: ROWS, memoryLimit: '60MB' });
  assert.equal(dataset.interactions.length, 20_000);
  await assert.rejects(
    prepared(t, { 'rows.csv': csvOf(many) }, { interactions: ROWS, memoryLimit: '1MB' }),
    failure('ENVIRONMENT', 'memory'),
  );
});
