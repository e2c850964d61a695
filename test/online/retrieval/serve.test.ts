import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RecsysClient } from '../../../src/client/index.js';
import { kindOf } from '../../../src/storage/disk.js';
import { recsys, refused, serving, startService } from '../../suites/binary.js';
import { writeTinyCheckpoint } from '../checkpoint-fixture.js';
import { catalogue, event } from '../fixtures.js';
import { clustered, ITEMS, MODELS, skip } from './fixtures.js';

let dir: string;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'recsys-retrieval-'));
  const known = catalogue(5, ITEMS);
  await writeTinyCheckpoint(join(dir, 'model'), 1, {}, { model: MODELS.linear, known, change: clustered });
});

after(() => rm(dir, { recursive: true, force: true }));

const SETTINGS = ['--set', 'retrieval.kind=usearch', '--set', 'retrieval.candidates=100'];

async function begun(t: TestContext, state: string, ...more: string[]) {
  const { child, ended, url } = await startService(dir, state, [...SETTINGS, ...more]);
  if (url === '') throw new Error((await ended).stderr);
  t.after(() => child.kill('SIGKILL'));
  const client = new RecsysClient({ url, patience: 0 });
  const figure = async (name: string): Promise<number> => {
    const text = await client.metrics();
    return Number(new RegExp(`^recsys_retrieval_${name} (.+)$`, 'm').exec(text)?.[1] ?? 0);
  };
  return {
    ...{ client, figure },
    async ready() {
      while ((await figure('ready')) !== 1) await sleep(20);
    },
    async stop(): Promise<string> {
      client.close();
      child.kill('SIGTERM');
      const { code, stderr } = await ended;
      assert.equal(code, 0, stderr);
      return stderr;
    },
  };
}

test('a service makes an index, makes lists with it, and finds it at the next start', { skip }, async (t) => {
  const first = await begun(t, 'kept');
  await first.client.events([event('a', 'i7', 'ann'), event('b', 'i1500', 'ann')]);
  await first.ready();
  while (!/^recsys_learner_lag_events 0$/m.test(await first.client.metrics())) await sleep(20);
  const { items } = await first.client.recommendations('ann', { k: 20 });
  assert.equal(items.length, 20);
  assert.equal(await first.figure('lists_total{scored="index"}'), 1);
  while (Number.isNaN(await first.figure('recall'))) await sleep(20);
  assert((await first.figure('recall')) > 0.9);
  assert.match(await first.stop(), /an index of 2000 items is made/);

  const second = await begun(t, 'kept');
  assert.equal(await second.figure('ready'), 1);
  const again = await second.client.recommendations('ann', { k: 20 });
  assert.deepEqual(
    again.items.map(({ item }) => item),
    items.map(({ item }) => item),
  );
  const said = await second.stop();
  assert.match(said, /lists are made with the index of 2000 items in the state directory/);
  assert.doesNotMatch(said, /an index of .* is made/);

  const file = join(dir, 'kept', 'index', 'index.usearch');
  const whole = await readFile(file);
  await writeFile(file, whole.subarray(0, whole.length / 2));
  const third = await begun(t, 'kept');
  await third.ready();
  assert.match(await third.stop(), /cannot be used .*damaged.*: a new one is made/);
});

test('an erasure takes the index away, and what is rebuilt makes its own', { skip }, async (t) => {
  const running = await begun(t, 'erased', '--set', 'privacy.rebuildAfter=1');
  await running.client.events([event('a', 'i7', 'ann'), event('b', 'i1500', 'bob')]);
  await running.ready();
  const index = join(dir, 'erased', 'index');
  assert.equal(await kindOf(index), 'directory');
  const { rebuilt } = await running.client.eraseUser('ann');
  assert.equal(rebuilt, 'scheduled');
  assert.equal(await kindOf(index), 'none');
  while ((await kindOf(index)) === 'none') await sleep(50);
  await running.ready();
  await running.stop();
});

test('a service that is stopped while it makes an index stops well', { skip }, async (t) => {
  const running = await begun(t, 'stopped', '--set', 'retrieval.connectivity=128');
  const said = await running.stop();
  assert.doesNotMatch(said, /no index could be made|\n\s+at /);
  assert.equal(await kindOf(join(dir, 'stopped', 'index.partial')), 'none');
});

test('a model without vectors of items is refused with the index', { skip }, async () => {
  const model = join(dir, 'other');
  await writeTinyCheckpoint(model, 1, {}, { model: { name: 'mlp', width: 8, length: 10 } });
  const args = serving('refused').map((arg) => (arg === 'model' ? 'other' : arg));
  await refused(
    2,
    /retrieval\.kind: `usearch` needs a model .*mlp is none/,
    recsys([...args, ...SETTINGS], dir),
  );
});
