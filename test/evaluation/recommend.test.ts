import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { LIST_COLUMNS, type ListRow, listFormat, writeRows } from '../../src/commands/list-files.js';
import type { RecsysError } from '../../src/errors.js';
import { readHistories } from '../../src/evaluation/histories.js';
import { type ListOptions, type ListRequest, recommendLists } from '../../src/evaluation/recommend.js';
import { makeDataset, tableScorer } from './fixture.js';

const root = await mkdtemp(join(tmpdir(), 'recsys-lists-'));
after(() => rm(root, { recursive: true, force: true }));

const request = (user: number, ...items: number[]): ListRequest => ({
  user: `u${user}`,
  query: { user, items: Int32Array.from(items), behaviours: new Uint8Array(items.length) },
});
const scorer = tableScorer({ 1: [1, 2, 3], 2: [3, 2, 1], 3: [1, 3, 2] }, 3);
const options: ListOptions = {
  k: 2,
  batchSize: 2,
  candidates: 'all',
  filterSeen: true,
  signal: new AbortController().signal,
};

async function lists(requests: readonly ListRequest[], changes: Partial<ListOptions> = {}) {
  const found: [string, number[]][] = [];
  for await (const { user, items } of recommendLists(scorer, requests, { ...options, ...changes }))
    found.push([user, [...items]]);
  return found;
}

test('lists come in the order of the requests, without the seen, whatever the batch', async () => {
  const requests = [request(1, 3), request(2), request(3, 2, 1, 3)];
  const expected = [
    ['u1', [2, 1]],
    ['u2', [1, 2]],
    ['u3', []],
  ];
  assert.deepEqual(await lists(requests), expected);
  assert.deepEqual(await lists(requests, { batchSize: 100 }), expected);
});

test('the seen may be kept, and candidates limited', async () => {
  assert.deepEqual(await lists([request(1, 3)], { filterSeen: false }), [['u1', [3, 2]]]);
  assert.deepEqual(await lists([request(1)], { candidates: Uint8Array.of(0, 1, 0, 0) }), [['u1', [1]]]);
});

test('NaN and an aborted signal stop it', async () => {
  const broken = tableScorer({ 1: [1, Number.NaN, 2] }, 3, 'broken');
  const drain = async (s: typeof broken, signal: AbortSignal) => {
    for await (const _ of recommendLists(s, [request(1)], { ...options, signal }));
  };
  await assert.rejects(drain(broken, options.signal), { code: 'DIVERGED', message: /broken scored item 2/ });
  await assert.rejects(drain(scorer, AbortSignal.abort()), { code: 'INTERRUPTED' });
});

async function* iterate<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values;
}

test('histories: both notations, unknown users, items and behaviours', async () => {
  const { catalogue } = makeDataset([
    ['u', 'a', 'train', { behaviour: 'view' }],
    ['u', 'b', 'train', { behaviour: 'buy' }],
  ]);
  const counts = { unknownItems: 0, unknownBehaviours: 0 };
  const lines = [
    '{"user": "u", "items": ["b", "zzz", "a"]}',
    '',
    '{"user": 7, "events": [{"item": "b", "behaviour": "buy"}, {"item": "a", "behaviour": "like"}]}',
  ];
  const found: ListRequest[] = [];
  for await (const one of readHistories(iterate(lines), 'h.jsonl', catalogue, counts)) found.push(one);
  assert.deepEqual(
    found.map(({ user, query }) => [user, query.user, [...query.items], [...query.behaviours]]),
    [
      ['u', 1, [2, 1], [0, 0]],
      ['7', 0, [2, 1], [1, 0]],
    ],
  );
  assert.deepEqual(counts, { unknownItems: 1, unknownBehaviours: 1 });
});

test('histories: times of all events or of none', async () => {
  const { catalogue } = makeDataset([['u', 'a', 'train']]);
  const read = async (events: string): Promise<unknown> => {
    const counts = { unknownItems: 0, unknownBehaviours: 0 };
    const lines = iterate([`{"user": "u", "events": [${events}]}`]);
    for await (const { query } of readHistories(lines, 'h.jsonl', catalogue, counts))
      return query.times && [...query.times];
    return 'nothing';
  };
  const times =
    '{"item": "a", "time": 5000}, {"item": "zz", "time": 6000}, {"item": "a", "time": "1970-01-01T00:00:09Z"}';
  assert.deepEqual(await read(times), [5000, 9000]);
  assert.equal(await read('{"item": "a"}'), undefined);
  await assert.rejects(read('{"item": "a", "time": 5000}, {"item": "a"}'), {
    code: 'DATA_UNREADABLE',
    message: /^h\.jsonl:1: some of the events have a time/,
  });
});

test('a bad history names file and line', async () => {
  const { catalogue } = makeDataset([['u', 'a', 'train']]);
  const drain = async (...lines: string[]) => {
    const counts = { unknownItems: 0, unknownBehaviours: 0 };
    for await (const _ of readHistories(iterate(lines), 'h.jsonl', catalogue, counts));
  };
  await assert.rejects(drain('{"user":"u","items":[]}', 'nonsense'), {
    code: 'DATA_UNREADABLE',
    message: /^h\.jsonl:2: not JSON/,
  });
  await assert.rejects(drain('{"user":"u"}'), { code: 'DATA_UNREADABLE', message: /^h\.jsonl:1: expected/ });
});

const rows: ListRow[] = [
  { user: 'u1', rank: 1, item: 'a', title: 'Quotes "and", commas', score: 0.5 },
  { user: 'u1', rank: 2, item: 'b', title: 'Zeile\nzwei – ü', score: -1.25 },
  { user: '2', rank: 1, item: '', title: '', score: 3 },
];

test('the format is the one asked for, else by extension, else CSV', () => {
  assert.equal(listFormat('x.jsonl', undefined), 'jsonl');
  assert.equal(listFormat('x.PARQUET', undefined), 'parquet');
  assert.equal(listFormat('x.jsonl', 'csv'), 'csv');
  assert.equal(listFormat('folder/recommend', undefined), 'csv');
  assert.equal(listFormat('lists.xlsx', 'csv'), 'csv');
  assert.throws(
    () => listFormat('lists.xlsx', undefined),
    (error: RecsysError) => error.code === 'USAGE' && /\.xlsx/.test(error.message),
  );
});

test('JSONL holds the rows; CSV quotes what must be', async () => {
  const jsonl = join(root, 'a.jsonl');
  assert.equal(await writeRows(jsonl, iterate(rows), LIST_COLUMNS, 'jsonl', false), 3);
  assert.deepEqual(
    (await readFile(jsonl, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
    rows,
  );
  const csv = join(root, 'deep/er/a.csv');
  await writeRows(csv, iterate(rows), LIST_COLUMNS, 'csv', false);
  assert.equal(
    await readFile(csv, 'utf8'),
    'user,rank,item,title,score\nu1,1,a,"Quotes ""and"", commas",0.5\nu1,2,b,"Zeile\nzwei – ü",-1.25\n2,1,,,3\n',
  );
});

test('DuckDB reads the Parquet, ids as text', async () => {
  const file = join(root, "it's.parquet");
  await writeRows(file, iterate(rows), LIST_COLUMNS, 'parquet', false);
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const reader = await connection.runAndReadAll(`SELECT * FROM '${file.replaceAll("'", "''")}'`);
  assert.deepEqual(reader.getRowObjectsJS(), rows);
  connection.closeSync();
  instance.closeSync();
});

test('an existing file is kept without force, replaced with it, and left whole by a failure', async () => {
  const file = join(root, 'kept.csv');
  await writeFile(file, 'old');
  await assert.rejects(writeRows(file, iterate(rows), LIST_COLUMNS, 'csv', false), { code: 'OUTPUT_EXISTS' });
  async function* failing(): AsyncGenerator<ListRow> {
    yield rows[0]!;
    throw new Error('in the middle');
  }
  await assert.rejects(writeRows(file, failing(), LIST_COLUMNS, 'csv', true), /in the middle/);
  assert.equal(await readFile(file, 'utf8'), 'old');
  await writeRows(file, iterate(rows), LIST_COLUMNS, 'csv', true);
  assert.match(await readFile(file, 'utf8'), /^user,rank/);
  assert.deepEqual(
    (await readdir(root)).filter((name) => name.includes('partial')),
    [],
  );
});

test('an unwritable place is a disk error', async () => {
  await writeFile(join(root, 'file'), '');
  await assert.rejects(writeRows(join(root, 'file', 'a.csv'), iterate(rows), LIST_COLUMNS, 'csv', false), {
    code: 'DISK',
  });
  await assert.rejects(writeRows(root, iterate(rows), LIST_COLUMNS, 'csv', true), {
    code: 'OUTPUT_EXISTS',
    message: /is a directory/,
  });
});
