import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { acquireLock } from '../../src/storage/lock.js';
import { temporary } from './fixtures.js';

const contender = fileURLToPath(new URL('./contender.ts', import.meta.url));

test('within a process the second is refused, and the next may have it', async (t) => {
  const path = join(await temporary(t), 'lock');
  const tries = await Promise.allSettled([acquireLock(path, 'x'), acquireLock(path, 'x')]);
  assert.deepEqual(tries.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  for (const each of tries) if (each.status === 'fulfilled') await each.value.release();
  await (await acquireLock(path, 'x')).release();
});

test('of many processes that find a dead one’s lock, one takes it, every time', async (t) => {
  const dir = await temporary(t);
  const path = join(dir, 'lock');
  const children = Array.from({ length: 4 }, () =>
    fork(contender, [path], { execArgv: ['--import', 'tsx'] }),
  );
  t.after(() => {
    for (const child of children) child.kill('SIGKILL');
  });
  const answer = async (child: ChildProcess): Promise<unknown> => (await once(child, 'message'))[0];
  await Promise.all(children.map(answer));
  const ask = (message: string) =>
    Promise.all(
      children.map((child) => {
        child.send(message);
        return answer(child);
      }),
    );
  for (let round = 0; round < 50; round++) {
    await writeFile(path, `999999999\n${hostname()}\n\n`);
    const answers = (await ask('acquire')).sort();
    assert.deepEqual(answers, ['OUTPUT_BUSY', 'OUTPUT_BUSY', 'OUTPUT_BUSY', 'won'], `round ${round}`);
    await ask('release');
  }
  assert.deepEqual(await readdir(dir), []);
});
