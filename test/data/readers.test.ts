import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { readers } from '../../src/data/readers/index.js';
import type { RawValue, ReadRequest } from '../../src/data/readers/reader.js';
import { resolveSources } from '../../src/data/readers/source.js';
import type { FormatName } from '../../src/data/source-schema.js';
import { failure, folder } from './helpers.js';

async function read(
  format: FormatName,
  path: string,
  options: Partial<ReadRequest> & Pick<ReadRequest, 'columns'>,
) {
  const records: (readonly RawValue[])[] = [];
  const lines: number[] = [];
  const rejected: string[] = [];
  await readers[format].read(
    {
      path,
      name: 'file',
      delimiter: undefined,
      header: true,
      quote: true,
      encoding: 'utf-8',
      signal: new AbortController().signal,
      onBytes: () => {},
      ...options,
    },
    {
      record: (values, line) => {
        records.push(values);
        lines.push(line);
      },
      reject: (line, reason) => rejected.push(`${line}: ${reason}`),
    },
  );
  return { records, lines, rejected };
}

test('csv: quotes, embedded line breaks, empty lines and a byte order mark; lines are counted', async (t) => {
  const dir = await folder(t, { 'a.csv': '\uFEFFid,text\r\n1,"a, ""b"""\r\n\r\n2,"two\r\nlines"\r\n3,c' });
  const found = await read('csv', join(dir, 'a.csv'), { columns: ['text', 'id'] });
  assert.deepEqual(found.records, [
    ['a, "b"', '1'],
    ['two\r\nlines', '2'],
    ['c', '3'],
  ]);
  assert.deepEqual(found.lines, [2, 4, 6]);
});

test('delimiters of several characters, positions instead of names, rows that are too short', async (t) => {
  const dir = await folder(t, { 'm.dat': '1::It\'s "x"::Drama\n2::Short\n' });
  const found = await read('csv', join(dir, 'm.dat'), {
    columns: [1, 3],
    delimiter: '::',
    header: false,
    quote: false,
  });
  assert.deepEqual(found.records, [
    ['1', 'Drama'],
    ['2', undefined],
  ]);
});

test('latin-1, gzipped', async (t) => {
  const dir = await folder(t, {
    'l.csv.gz': gzipSync(Buffer.from('id|title\n1|Misérables, Les\n', 'latin1')),
  });
  const found = await read('csv', join(dir, 'l.csv.gz'), {
    columns: ['title'],
    delimiter: '|',
    encoding: 'latin-1',
  });
  assert.deepEqual(found.records, [['Misérables, Les']]);
});

test('an unknown column is reported with its nearest and with what there is', async (t) => {
  const dir = await folder(t, { 'a.csv': 'userId,movieId,rating\n1,2,3\n' });
  await assert.rejects(
    read('csv', join(dir, 'a.csv'), { columns: ['userid', 'movieId'] }),
    failure(
      'COLUMN_MISSING',
      'a.csv:1: there is no column "userid"; did you mean "userId"? The file has 3 columns: userId, movieId, rating',
    ),
  );
  await assert.rejects(
    read('csv', join(dir, 'a.csv'), { columns: ['userId', 'time'] }),
    failure('COLUMN_MISSING', 'there is no column "time". The file has 3 columns: userId'),
  );
});

test('a wrong delimiter is reported with the right one', async (t) => {
  for (const [text, right] of [
    ['u\ti\n1\t2\n', '"\\t"'],
    ['u::i\n1::2\n', '"::"'],
    ['u;i\n', '";"'],
  ] as const) {
    const dir = await folder(t, { f: text });
    await assert.rejects(
      read('csv', join(dir, 'f'), { columns: ['u', 'i'] }),
      failure('COLUMN_MISSING', 'only one column', `${right} seems right`),
    );
  }
});

test('a quote that never closes is named by its line', async (t) => {
  const dir = await folder(t, { 'q.csv': 'a,b\n1,2\n3,"x\n4,5\n' });
  await assert.rejects(
    read('csv', join(dir, 'q.csv'), { columns: ['a', 'b'] }),
    failure('DATA_UNREADABLE', 'file:3', 'quote: false'),
  );
});

test('damaged and truncated gzip', async (t) => {
  const whole = gzipSync(Buffer.from(Array.from({ length: 5000 }, (_, n) => `${n},${n * 7919}`).join('\n')));
  const damaged = Uint8Array.from(whole);
  damaged.fill(0, 200, 260);
  const dir = await folder(t, {
    'cut.gz': whole.subarray(0, whole.length / 2),
    'damaged.gz': damaged,
    'not.gz': 'a,b\n',
  });
  for (const name of ['cut.gz', 'damaged.gz', 'not.gz'])
    for (const format of ['csv', 'jsonl', 'sequence'] as const)
      await assert.rejects(
        read(format, join(dir, name), {
          columns: format === 'sequence' ? ['user', 'item'] : [1, 2],
          header: false,
        }),
        failure('DATA_UNREADABLE', name, 'gzip'),
      );
});

test('an empty file has no rows', async (t) => {
  const dir = await folder(t, { 'e.csv': '' });
  assert.deepEqual((await read('csv', join(dir, 'e.csv'), { columns: ['a'] })).records, []);
});

test('jsonl: nested keys, lists, numbers; lines that are not objects are rejected', async (t) => {
  const dir = await folder(t, {
    'a.jsonl': '{"user":{"id":7},"tags":["a","b"],"x.y":1}\n\n[1]\n{"user":\n{"tags":null}\n',
  });
  const found = await read('jsonl', join(dir, 'a.jsonl'), { columns: ['user.id', 'tags', 'x.y'] });
  assert.deepEqual(found.records, [
    [7, ['a', 'b'], 1],
    [null, null, null],
  ]);
  assert.deepEqual(found.lines, [1, 5]);
  assert.deepEqual(found.rejected, ['3: not a JSON object', '4: not JSON']);
});

test('sequence: rows in order, a user without items is rejected', async (t) => {
  const dir = await folder(t, { 's.txt': '1 10 11 10\n2\n3 12\r\n' });
  const found = await read('sequence', join(dir, 's.txt'), { columns: ['user', 'item', 'order'] });
  assert.deepEqual(found.records, [
    ['1', '10', 1],
    ['1', '11', 2],
    ['1', '10', 3],
    ['3', '12', 1],
  ]);
  assert.deepEqual(found.rejected, ['2: a user without items']);
});

test('json-map: ids with lists of values', async (t) => {
  const dir = await folder(t, { 'm.json': '{"4": [1, 2], "x": "one"}', 'bad.json': '{"4": [1,' });
  const found = await read('json-map', join(dir, 'm.json'), { columns: ['id', 'values'] });
  assert.deepEqual(found.records, [
    ['4', ['1', '2']],
    ['x', ['one']],
  ]);
  await assert.rejects(
    read('json-map', join(dir, 'bad.json'), { columns: ['id'] }),
    failure('DATA_UNREADABLE', 'bad.json'),
  );
});

test('mind: history rows before clicked candidates', async (t) => {
  const dir = await folder(t, {
    'b.tsv': '1\tU1\t11/12/2019 2:14:46 PM\tN1 N2\tN3-0 N4-1 N5-1\n2\tU2\tx\n3\tU3\tt\t\tN9-0\n',
  });
  const found = await read('mind', join(dir, 'b.tsv'), { columns: ['user', 'item', 'order', 'behaviour'] });
  assert.deepEqual(found.records, [
    ['U1', 'N1', -1e9, 'history'],
    ['U1', 'N2', -1e9 + 1, 'history'],
    ['U1', 'N4', 0, 'click'],
    ['U1', 'N5', 1, 'click'],
  ]);
  assert.deepEqual(found.rejected, ['2: missing columns']);
});

test('mind: with impressions the candidates that were not clicked, in their places; unlabelled ones refuse the line', async (t) => {
  const dir = await folder(t, {
    'b.tsv': '1\tU1\tt\tN1\tN3-0 N-4-1\n2\tU2\tt\tN1\tN3-1 N5\n3\tU2\tt\tN1\t-1\n4\tU2\tt\t\tN6-2\n',
  });
  const found = await read('mind', join(dir, 'b.tsv'), {
    columns: ['item', 'order', 'behaviour', 'impression'],
  });
  assert.deepEqual(found.records, [
    ['N1', -1e9, 'history', 1],
    ['N3', 0, 'shown', 1],
    ['N-4', 0, 'click', 1],
  ]);
  assert.deepEqual(
    found.rejected,
    [2, 3, 4].map((line) => `${line}: a shown item is neither item-0 nor item-1`),
  );
});

test('parquet: times, lists, large integers; damage is reported', async (t) => {
  const dir = await folder(t, { 'bad.parquet': 'PAR1 not really' });
  const path = join(dir, 'a.parquet');
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  await connection.run(
    `COPY (SELECT 9007199254740993::BIGINT AS id, TIMESTAMP '2020-01-02 03:04:05' AS t, ['a','b'] AS tags, 1.5::DOUBLE AS x, NULL::VARCHAR AS n)
     TO '${path}' (FORMAT parquet)`,
  );
  connection.closeSync();
  const found = await read('parquet', path, { columns: ['id', 't', 'tags', 'x', 'n'] });
  assert.deepEqual(found.records, [
    ['9007199254740993', new Date('2020-01-02T03:04:05Z'), ['a', 'b'], 1.5, null],
  ]);
  await assert.rejects(
    read('parquet', join(dir, 'bad.parquet'), { columns: ['id'] }),
    failure('DATA_UNREADABLE', 'bad.parquet'),
  );
  await assert.rejects(
    read('parquet', path, { columns: ['idd'] }),
    failure('COLUMN_MISSING', 'did you mean "id"'),
  );
});

test('files: globs in order of name, name.gz under its plain name, missing ones named by path', async (t) => {
  const dir = await folder(t, {
    'part-2.csv': '',
    'part-1.csv': '',
    'other.csv': '',
    'z.csv.gz': '',
    'd/a.csv': '',
    'e/a.csv': '',
  });
  const names = async (paths: string | string[]) =>
    (await resolveSources(paths, dir)).map((f) => f.path.slice(dir.length + 1));
  assert.deepEqual(await names('part-*.csv'), ['part-1.csv', 'part-2.csv']);
  assert.deepEqual(await names('?/a.csv'), ['d/a.csv', 'e/a.csv']);
  assert.deepEqual(await names(['z.csv', 'other.csv']), ['z.csv.gz', 'other.csv']);
  await assert.rejects(names('absent.csv'), failure('FILE_MISSING', join(dir, 'absent.csv')));
  await assert.rejects(names('absent.csv'), {
    remedy: /relative to `raw` \(--raw\), without it to the working/,
  });
  await assert.rejects(names('absent-*.csv'), failure('FILE_MISSING', 'absent-*.csv'));
  await assert.rejects(names('d'), failure('FILE_MISSING', 'folder'));
});

test('standard input, gzipped or not', () => {
  const script = `
    import { readers } from './src/data/readers/index.ts';
    await readers.csv.read({ path: '-', name: 'standard input', delimiter: undefined, header: true, quote: true, encoding: 'utf-8',
      columns: ['b'], signal: new AbortController().signal, onBytes() {} },
      { record: (values, line) => console.log(line, values[0]), reject() {} });`;
  for (const input of [Buffer.from('a,b\n1,x\n2,y\n'), gzipSync(Buffer.from('a,b\n1,x\n2,y\n'))]) {
    const run = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      input,
      cwd: join(import.meta.dirname, '../..'),
      encoding: 'utf8',
    });
    assert.equal(run.stdout, '2 x\n3 y\n', run.stderr);
  }
});
