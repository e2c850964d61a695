import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { writeTinyCheckpoint } from '../online/checkpoint-fixture.js';
import { BINARY, ROOT, startService } from '../suites/binary.js';

const built =
  existsSync(join(ROOT, 'dist/main.js')) && existsSync(join(ROOT, 'dist/commands/serve-online.js'));
const curl = spawnSync('curl', ['--version']).status === 0;

async function items(url: string, user: string): Promise<unknown> {
  return ((await (await fetch(`${url}/v1/recommendations?user=${user}`)).json()) as { items: unknown }).items;
}

async function post(url: string, events: unknown): Promise<number> {
  const headers = { 'content-type': 'application/json' };
  return (await fetch(`${url}/v1/events`, { method: 'POST', headers, body: JSON.stringify(events) })).status;
}

async function learned(url: string, count: number): Promise<void> {
  while (!(await (await fetch(`${url}/v1/recommendations?user=x`)).text()).includes(`+${count}"`))
    await sleep(5);
}

describe('recsys serve-online', { skip: built ? false : 'not built (npm run build)' }, () => {
  let dir = '';
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'recsys-serve-'));
    await writeTinyCheckpoint(join(dir, 'model'));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  const events = (from: number) =>
    Array.from({ length: 5 }, (_, n) => ({
      id: `e${from + n}`,
      user: 'ann',
      item: `i${from + n + 1}`,
      behaviour: 'view',
    }));

  test('five events, SIGTERM, the same lists again; kill -9, the same lists again', async () => {
    const state = join(dir, 'state');
    const first = await startService(dir, state, ['--out', join(dir, 'served'), '--json']);
    assert.equal(first.pid, first.child.pid);
    const fresh = await items(first.url, 'ann');
    assert.equal(await post(first.url, events(0)), 200);
    await learned(first.url, 5);
    const list = await items(first.url, 'ann');
    assert.notDeepEqual(list, fresh);
    first.child.kill('SIGTERM');
    const end = await first.ended;
    assert.equal(end.code, 0, end.stderr);
    const result = JSON.parse(end.stdout) as { path: string; metrics: { learned: number } };
    assert.deepEqual([result.path, result.metrics.learned], [join(dir, 'served'), 5]);
    assert.match(
      await readFile(join(state, 'report.html'), 'utf8'),
      /5 events ranked before they were learned/,
    );

    const second = await startService(dir, state);
    assert.deepEqual(await items(second.url, 'ann'), list);
    assert.equal(await post(second.url, events(5)), 200);
    await learned(second.url, 10);
    const further = await items(second.url, 'ann');
    second.child.kill('SIGKILL');
    await second.ended;

    const third = await startService(dir, state);
    await learned(third.url, 10);
    assert.deepEqual(await items(third.url, 'ann'), further);
    third.child.kill('SIGINT');
    const last = await third.ended;
    assert.deepEqual([last.code, last.stdout], [0, `${join(state, 'snapshot')}\n`]);
  });

  test('learning taken back over HTTP: the lists of before, also after kill -9 and without snapshots', async () => {
    const state = join(dir, 'taken back');
    const admin = async (url: string, action: string): Promise<Record<string, unknown>> => {
      const reply = await fetch(`${url}/v1/admin/learning`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ action }),
      });
      assert.equal(reply.status, 200);
      return (await reply.json()) as Record<string, unknown>;
    };
    const session = async (url: string): Promise<unknown> => {
      const body = JSON.stringify({ history: ['i1', 'i2'], k: 40 });
      const headers = { 'content-type': 'application/json' };
      const reply = await fetch(`${url}/v1/recommendations`, { method: 'POST', headers, body });
      return ((await reply.json()) as { items: unknown }).items;
    };
    const first = await startService(dir, state);
    const fresh = await session(first.url);
    assert.equal(await post(first.url, events(0)), 200);
    await learned(first.url, 5);
    assert.notDeepEqual(await session(first.url), fresh);
    const { state: now, rollbacks, good, learned: count } = await admin(first.url, 'rollback');
    assert.deepEqual([now, rollbacks, good, count], ['learning', 1, 0, 0]);
    assert.deepEqual(await session(first.url), fresh);
    assert.equal((await admin(first.url, 'pause')).state, 'paused');
    assert.equal(await post(first.url, events(5)), 200);
    const list = await items(first.url, 'ann');
    first.child.kill('SIGKILL');
    await first.ended;
    await rm(join(state, 'snapshot'), { recursive: true });
    await rm(join(state, 'good'), { recursive: true });
    const second = await startService(dir, state);
    assert.deepEqual([await session(second.url), await items(second.url, 'ann')], [fresh, list]);
    assert.equal((await admin(second.url, 'resume')).state, 'learning');
    second.child.kill('SIGTERM');
    assert.equal((await second.ended).code, 0);
  });

  test('the output of a stage is refused as a state directory, and keeps its files', async () => {
    const before = await readFile(join(dir, 'model', 'manifest.json'));
    const refused = await startService(dir, join(dir, 'model')).then(({ ended }) => ended);
    assert.equal(refused.code, 2, refused.stderr);
    assert.match(refused.stderr, /model is the output of a stage, not a state directory\n {2}→ .*--state/);
    assert.deepEqual(await readFile(join(dir, 'model', 'manifest.json')), before);
    for (const name of ['journal', 'lock', 'snapshot'])
      assert.ok(!existsSync(join(dir, 'model', name)), name);
  });

  test('a port in use, a state in use and a damaged journal end with a message and the right exit code', async () => {
    const state = join(dir, 'busy');
    const first = await startService(dir, state);
    const port = new URL(first.url).port;
    const config = join(dir, 'serve.yaml');
    await writeFile(config, `port: ${port}\nbackend: cpu\nmodel: model\nstate: third\n`);
    const taken = await promisify(execFile)(process.execPath, [BINARY, 'serve-online', '-c', config], {
      cwd: dir,
    }).catch((e) => e);
    assert.equal(taken.code, 5, taken.stderr);
    assert.match(taken.stderr, new RegExp(`127.0.0.1:${port} is in use`));
    const held = await startService(dir, state).then(({ ended }) => ended);
    assert.equal(held.code, 2, held.stderr);
    assert.equal(await post(first.url, events(0)), 200);
    assert.equal(await post(first.url, events(5)), 200);
    first.child.kill('SIGTERM');
    await first.ended;

    const file = join(state, 'journal', 'journal-000000000001.log');
    const bytes = await readFile(file);
    bytes[30]! ^= 1;
    await writeFile(file, bytes);
    const damaged = await startService(dir, state).then(({ ended }) => ended);
    assert.equal(damaged.code, 3, damaged.stderr);
    assert.match(damaged.stderr, /journal-000000000001\.log: the journal at offset 0 is damaged/);
    assert.doesNotMatch(damaged.stderr, /^ {4}at /m);
  });

  test('the examples of docs/serving.md, pasted', {
    skip: curl ? false : 'curl is not installed',
  }, async () => {
    const text = await readFile(join(ROOT, 'docs/serving.md'), 'utf8');
    const examples = [...text.matchAll(/```sh\n(curl[\s\S]*?)```/g)].map(([, block]) => block!);
    assert.equal(examples.length, 10);
    const { child, ended, url } = await startService(dir, 'docs');
    const replies: string[] = [];
    for (const example of examples) {
      const { stdout } = await promisify(execFile)('bash', [
        '-c',
        `${example.replaceAll('http://127.0.0.1:8080', url)} `,
      ]);
      replies.push(stdout);
    }
    child.kill('SIGTERM');
    assert.equal((await ended).code, 0);
    const [ready, unseen, accepted, list, session, questions, state, metrics, reasoned] = replies;
    assert.equal(ready, '{"status":"ready"}');
    assert.equal(JSON.parse(unseen!).fallback, true);
    assert.equal(JSON.parse(accepted!).accepted, 2);
    assert.deepEqual([JSON.parse(list!).fallback, JSON.parse(list!).items.length], [false, 5]);
    assert.equal(JSON.parse(session!).items.length, 3);
    const asked = JSON.parse(questions!).items.map((entry: { item: string }) => entry.item);
    assert.equal(asked.length, 3);
    assert(!asked.includes('i2'), 'asked about before');
    const known = JSON.parse(state!);
    assert.deepEqual([known.events, known.basis, known.state.length > 0], [2, 'events', true]);
    assert.match(metrics!, /recsys_events_received_total\{result="accepted"\} 2/);
    const reasons = JSON.parse(reasoned!).items.flatMap(
      (one: { reasons: { item: string }[] }) => one.reasons,
    );
    assert(reasons.length > 0);
    for (const { item } of reasons) assert(['i7', 'i3'].includes(item), 'one of her events');
  });
});
