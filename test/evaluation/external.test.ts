import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readRankings } from '../../src/commands/rankings.js';
import type { Dataset } from '../../src/data/dataset.js';
import { RecsysError } from '../../src/errors.js';
import { externalRankings } from '../../src/evaluation/external.js';
import type { Catalogue, Query } from '../../src/types.js';
import { noFeatures } from '../suites/fixtures.js';

const catalogue: Catalogue = {
  users: ['', 'ann', 'bob'],
  items: ['', 'a', 'b', 'c'],
  behaviours: ['view'],
  titles: ['', '', '', ''],
  itemFeatures: noFeatures(4),
  userFeatures: noFeatures(3),
  itemCounts: new Float32Array(4),
};
const query = (user: number): Query => ({ user, items: new Int32Array(0), behaviours: new Uint8Array(0) });

test('listed items keep their scores, the others tie below them, a user without a list has ties only', async () => {
  const { scorer, users, unknown } = externalRankings(
    'oracle',
    [
      { user: 'ann', item: 'c', score: 0.5 },
      { user: 'ann', item: 'a', score: -3 },
      { user: 'ann', item: 'z', score: 1 },
      { user: 'zoe', item: 'a', score: 1 },
    ],
    catalogue,
  );
  assert.deepEqual([users, unknown, scorer.items], [1, 2, 3]);
  const scores = await scorer.score([query(1), query(2), query(0)]);
  assert.equal(scores.length, 12);
  const [, a, b, c] = scores;
  assert.deepEqual([a, c], [-3, 0.5]);
  assert.ok(b! < a!);
  assert.equal(new Set(scores.subarray(4)).size, 1);
});

test('the padding entry is nobody and nothing', () => {
  const { users, unknown } = externalRankings(
    'x',
    [
      { user: '', item: 'a', score: 1 },
      { user: 'ann', item: '', score: 1 },
    ],
    catalogue,
  );
  assert.deepEqual([users, unknown], [0, 2]);
});

describe('files of lists', () => {
  let dir = '';
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'recsys-rankings-'));
  });
  after(() => rm(dir, { recursive: true, force: true }));
  const warnings: string[] = [];
  const context = {
    progress: () => undefined,
    log: (_: string, message: string) => void warnings.push(message),
    signal: new AbortController().signal,
  };
  const read = async (name: string, text: string) => {
    const file = join(dir, name);
    await writeFile(file, text);
    return readRankings('lists', file, { path: 'dataset', catalogue } as Dataset, context);
  };
  const refused =
    (code: string, message: RegExp) =>
    (error: unknown): boolean => {
      assert.ok(error instanceof RecsysError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    };

  test('CSV and JSONL, further columns ignored', async () => {
    for (const [name, text] of [
      ['a.csv', 'user,rank,item,title,score\nann,1,b,"B, the best",2\nbob,1,a,A,1\n'],
      ['a.jsonl', '{"user":"ann","item":"b","score":2}\n{"user":"bob","item":"a","score":1}\n'],
    ] as const) {
      const { scorer, kind, note } = await read(name, text);
      assert.equal(kind, 'external');
      assert.match(note!, /2 users/);
      const scores = await scorer.score([query(1)]);
      assert.equal(scores.indexOf(Math.max(...scores)), 2);
    }
  });

  test('what is not in the dataset is counted and said', async () => {
    await read('u.csv', 'user,item,score\nann,b,2\nann,nothing,1\n');
    assert.match(warnings.at(-1)!, /1 lines are of users or items the dataset does not have/);
  });

  test('refused: no file, no column, no number, nothing that fits', async () => {
    const dataset = { path: 'dataset', catalogue } as Dataset;
    await assert.rejects(
      readRankings('x', join(dir, 'none.csv'), dataset, context),
      refused('FILE_MISSING', /none\.csv/),
    );
    await assert.rejects(read('c.csv', 'user,item\nann,a\n'), refused('COLUMN_MISSING', /score/));
    await assert.rejects(
      read('n.csv', 'user,item,score\nann,a,1\nann,b,\n'),
      refused('DATA_UNREADABLE', /n\.csv:3: the score/),
    );
    await assert.rejects(
      read('e.csv', 'user,item,score\nzoe,a,1\n'),
      refused('DATA_EMPTY', /none of its 1 lines/),
    );
  });
});
