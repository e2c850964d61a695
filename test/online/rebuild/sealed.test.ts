import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Journal } from '../../../src/online/journal.js';
import { sealedFiles } from '../../../src/online/rebuild/sealed-files.js';
import { standIn } from '../../../src/online/rebuild/stand-in.js';
import { type CountingLearner, startService, temporary } from '../fixtures.js';
import { eventOf } from '../privacy/fixtures.js';

test('a held service over closed segments: what waits is not learned, later segments are not seen, no byte changes', async (t) => {
  const dir = await temporary(t);
  const journal = await Journal.open(dir, { segmentBytes: 1e6 });
  const eventRecord = (n: number) => ({ type: 'event', ...eventOf('bob', n, (n % 9) + 1) });
  for (let n = 0; n < 5; n++) await journal.append([eventRecord(n)]);
  await journal.append([{ type: 'learn', through: 2 }]);
  const segments = await journal.seal();
  await journal.append([eventRecord(5)]);
  const bytes = async (): Promise<string[]> => {
    const names = (await readdir(dir)).sort();
    return Promise.all(names.map(async (name) => `${name} ${await readFile(join(dir, name), 'hex')}`));
  };
  const before = await bytes();
  const { service, learner } = await startService(dir, { files: sealedFiles(segments), held: true });
  const { state } = await service.snapshot();
  assert.equal(state.position, 6);
  assert.deepEqual(
    state.queue.waiting.map(({ seq }) => seq),
    [3, 4, 5],
  );
  assert.deepEqual((learner as CountingLearner).updates, [['bob/0', 'bob/1']]);
  assert.equal(state.queue.learned, 2);
  await service.close();
  assert.deepEqual(await bytes(), before);
  await journal.close();
});

test('a stand-in follows the current one, with members of its own', () => {
  class Counter {
    private seen = 0;
    constructor(readonly name: string) {}
    get size(): number {
      return this.seen;
    }
    add(): number {
      return ++this.seen;
    }
    old(): boolean {
      return true;
    }
  }
  let current = new Counter('a');
  const stand = standIn(() => current, { old: () => () => false });
  assert.deepEqual([stand.name, stand.add(), stand.add(), stand.size, stand.old()], ['a', 1, 2, 2, false]);
  const { add } = stand;
  current = new Counter('b');
  assert.deepEqual([stand.name, stand.add(), stand.size, add()], ['b', 1, 1, 3]);
});
