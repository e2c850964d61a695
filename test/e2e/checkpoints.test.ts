import assert from 'node:assert/strict';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { RecsysClient, ServiceError } from '../../src/client/index.js';
import { type Failpoint, failingAt } from '../../src/storage/failpoints.js';
import { writeTinyCheckpoint } from '../online/checkpoint-fixture.js';
import { stateOf } from '../online/checkpoints/fixtures.js';
import { temporary } from '../online/fixtures.js';
import { caughtUp } from '../online/serve-fixture.js';
import { startService } from '../suites/binary.js';

const FLAGS = ['--set', 'checkpoints.directory=checkpoints', '--set', 'learning.user.rate=0.05'];

/** What a kill at each moment of a swap, and of going back, leaves to be served. */
const DEATHS: readonly (readonly [Failpoint, 1 | 2, 'model' | 'a'])[] = [
  ['checkpoint.replayed', 1, 'model'],
  ['checkpoint.recorded', 1, 'a'],
  ['checkpoint.opened', 1, 'a'],
  ['checkpoint.replayed', 2, 'a'],
  ['checkpoint.recorded', 2, 'model'],
  ['checkpoint.opened', 2, 'model'],
];

for (const [name, nth, left] of DEATHS)
  test(`killed at ${name} ${nth === 1 ? 'of a swap' : 'of going back'}: the next start serves \`${left}\`, with every event acknowledged and the same bits`, async (t) => {
    const dir = await temporary(t);
    await mkdir(join(dir, 'checkpoints'));
    await writeTinyCheckpoint(join(dir, 'model'));
    await writeTinyCheckpoint(join(dir, 'checkpoints/a'), 2);
    const dying = await startService(dir, 'state', FLAGS, failingAt(name, nth));
    t.after(() => dying.child.kill('SIGKILL'));
    const client = new RecsysClient({ url: dying.url, patience: 0 });
    t.after(() => client.close());
    const acknowledged: string[] = [];
    const event = async (n: number) => {
      const id = `e${n}`;
      await client.event({
        id,
        user: `w${n % 3}`,
        item: `i${((n * 11) % 40) + 1}`,
        behaviour: 'view',
        time: n,
      });
      acknowledged.push(id);
    };
    for (let n = 0; n < 30; n++) await event(n);
    await caughtUp(dying.url);
    const traffic = (async () => {
      for (let n = 30; ; n++) await event(n);
    })();
    const swaps = (async () => {
      await client.takeCheckpoint({ path: 'a', force: true });
      await client.rollBackCheckpoint();
    })();
    const ends = await Promise.allSettled([traffic, swaps]);
    for (const end of ends)
      assert(end.status === 'rejected' && end.reason instanceof ServiceError && end.reason.status === 0);
    await dying.ended;
    assert.equal(dying.child.signalCode, 'SIGKILL');

    const states: unknown[] = [];
    await cp(join(dir, 'state/journal'), join(dir, 'twin/journal'), { recursive: true });
    for (const state of ['state', 'twin']) {
      const { child, ended, url } = await startService(dir, state, FLAGS);
      t.after(() => child.kill('SIGKILL'));
      assert.notEqual(url, '', url || (await ended).stderr);
      const next = new RecsysClient({ url, patience: 0 });
      const { path, since } = await next.checkpoint();
      assert(path.endsWith(`/${left}`), path);
      assert.equal(since > 0, name !== 'checkpoint.replayed' || nth === 2);
      const ids = new Set<string>();
      for (const user of ['w0', 'w1', 'w2'])
        for (const { id } of (await next.user(user, { limit: 10_000 })).events) ids.add(id);
      assert.deepEqual(
        acknowledged.filter((id) => !ids.has(id)),
        [],
      );
      await caughtUp(url);
      next.close();
      child.kill('SIGTERM');
      assert.equal((await ended).code, 0);
      states.push(await stateOf(join(dir, state, 'snapshot')));
    }
    assert.deepEqual(states[0], states[1]);
  });
