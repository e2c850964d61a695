import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { eraseLists } from '../../../src/online/impressions/erase.js';
import { ImpressionLog } from '../../../src/online/impressions/log.js';
import { listsOf } from '../../../src/online/impressions/of-user.js';
import { journalRecords } from '../../../src/online/journal/check.js';
import { retentionSchema } from '../../../src/online/schema.js';
import { NOW, recordingContext, temporary } from '../fixtures.js';
import { ANN, filesWith } from './fixtures.js';

const openLog = (directory: string) =>
  ImpressionLog.open(directory, {
    durability: 'always',
    syncInterval: 100,
    retention: retentionSchema.parse({ segmentBytes: 4096 }),
    log: recordingContext().log,
    now: () => NOW,
  });

const listOf = (user: string | undefined, n: number) => ({
  type: 'impression' as const,
  requestId: `r${n}`,
  ...(user === undefined ? {} : { user }),
  modelVersion: 'm+0',
  policy: 'none',
  items: [{ item: `i${n}`, propensity: 1 }],
  history: [{ item: `h${n}`, behaviour: 'view' }],
});

async function filled(directory: string): Promise<ImpressionLog> {
  const log = await openLog(directory);
  for (let n = 0; n < 60; n++) await log.write(listOf([ANN, 'bob', undefined][n % 3], n));
  return log;
}

async function kinds(directory: string): Promise<Record<string, number>> {
  const counted: Record<string, number> = {};
  let expected = 1;
  for await (const { seq, record } of journalRecords(directory)) {
    assert.equal(seq, expected++);
    const { type, user = 'nobody' } = record as { type: string; user?: string };
    const kind = type === 'erased' ? type : user;
    counted[kind] = (counted[kind] ?? 0) + 1;
  }
  return counted;
}

test('a user’s lists in a log that is being written become tombstones; those of others stay, and it is written on', async (t) => {
  const dir = await temporary(t);
  const directory = join(dir, 'impressions');
  const log = await filled(directory);
  assert((await filesWith(directory, ANN)).length > 1, 'several segments');
  assert.deepEqual((await listsOf(directory, ANN, 2)).lists, [
    { requestId: 'r54', time: NOW, items: ['i54'] },
    { requestId: 'r57', time: NOW, items: ['i57'] },
  ]);
  assert.equal((await listsOf(directory, ANN, 2)).listsServed, 20);
  const [erased] = await Promise.all([eraseLists(directory, ANN, log), log.write(listOf('bob', 60))]);
  assert.equal(erased, 20);
  assert.deepEqual(await filesWith(dir, ANN), []);
  await log.write(listOf('bob', 61));
  assert.deepEqual(await kinds(directory), { erased: 20, bob: 22, nobody: 20 });
  assert.deepEqual(await listsOf(directory, ANN, 2), { lists: [], listsServed: 0 });
  assert.equal(await eraseLists(directory, ANN, log), 0, 'a second time there is nothing');
  await log.close();
  const again = await openLog(directory);
  await again.close();
});

test('a log that nobody writes to, and damaged ones that were kept aside', async (t) => {
  const dir = await temporary(t);
  const directory = join(dir, 'impressions');
  assert.equal(await eraseLists(directory, ANN), 0, 'there is none');
  await (await filled(directory)).close();
  for (const [name, text] of [
    ['damaged-1', `garbage ${ANN} garbage`],
    ['damaged-2', 'garbage'],
  ]) {
    await mkdir(`${directory}.${name}`);
    await writeFile(join(`${directory}.${name}`, 'journal-000000000001.log'), text!);
  }
  assert.equal(await eraseLists(directory, ANN), 20);
  assert.deepEqual(await filesWith(dir, ANN), []);
  assert.equal((await filesWith(dir, 'garbage')).length, 1);
  assert.deepEqual(await kinds(directory), { erased: 20, bob: 20, nobody: 20 });
});
