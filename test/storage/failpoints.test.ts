import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { FAILPOINTS, type Failpoint, failingAt } from '../../src/storage/failpoints.js';

const PROGRAM = `
import { failpoint } from './src/storage/failpoints.ts';
for (let n = 1; n <= 3; n++) { process.stdout.write(String(n)); failpoint('journal.synced'); failpoint('learn.updated'); }
`;

function passed(env: Record<string, string>) {
  const args = ['--import', 'tsx', '--input-type=module', '-e', PROGRAM];
  const { stdout, signal, status } = spawnSync(process.execPath, args, {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  return { stdout, signal, status };
}

test('a process dies at the nth passing of the moment it was given, and at no other', () => {
  assert.deepEqual(passed(failingAt('journal.synced', 2)), { stdout: '12', signal: 'SIGKILL', status: null });
  assert.deepEqual(passed(failingAt('learn.updated', 1)), { stdout: '1', signal: 'SIGKILL', status: null });
  assert.deepEqual(passed(failingAt('journal.rolled', 1)), { stdout: '123', signal: null, status: 0 });
  assert.deepEqual(passed(failingAt('journal.synced', 4)), { stdout: '123', signal: null, status: 0 });
  assert.deepEqual(passed({}), { stdout: '123', signal: null, status: 0 });
  for (const text of ['toString:1', 'journal.synced', 'journal.synced:x'])
    assert.deepEqual(passed({ RECSYS_FAILPOINT: text }), { stdout: '123', signal: null, status: 0 });
  const names = Object.keys(FAILPOINTS) as Failpoint[];
  assert(names.length >= 8);
});
