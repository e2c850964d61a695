import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RecsysClient } from '../../src/client/index.js';
import { pseudonyms } from '../../src/online/privacy/pseudonyms.js';
import { failingAt } from '../../src/storage/failpoints.js';
import { writeTinyCheckpoint } from '../online/checkpoint-fixture.js';
import { ANN, eventOf, filesWith, loggedIn } from '../online/privacy/fixtures.js';
import { bearing } from '../online/security/fixtures.js';
import { BINARY, ROOT, recsys, serving, startService } from '../suites/binary.js';

const built = existsSync(join(ROOT, 'dist/main.js')) && existsSync(join(ROOT, 'dist/online/privacy/disk.js'));

describe('the privacy of recsys serve-online', { skip: built ? false : 'not built (npm run build)' }, () => {
  let dir = '';
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'recsys-privacy-'));
    await writeTinyCheckpoint(join(dir, 'model'));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  function keyOf(...scopes: string[]): string {
    const flags = scopes.flatMap((scope) => ['--scope', scope]);
    const { stdout } = spawnSync(
      process.execPath,
      [BINARY, 'serve-online', 'keys', 'create', '--keys', 'safe/keys.json', ...flags],
      { cwd: dir, encoding: 'utf8' },
    );
    return stdout.trim();
  }

  test('what clients put anywhere is not in the log at debug, the audit log or the metrics', async (t) => {
    const token = keyOf('read', 'write', 'admin');
    const flags = ['--keys', 'safe/keys.json', '--log-level', 'debug', '--set', 'exploration.log=true'];
    const { child, ended, url } = await startService(dir, 'quiet', flags);
    t.after(() => child.kill('SIGKILL'));
    let count = 0;
    const planted: string[] = [];
    /** A secret that stands in one place alone. */
    const secret = (where: string): string => {
      planted.push(`${where}-9f3b${count++}`);
      return planted.at(-1)!;
    };
    const json = { 'content-type': 'application/json', ...bearing(token) };
    const post = (path: string, body: string, headers: Record<string, string> = json) =>
      fetch(url + path, { method: 'POST', headers, body });
    const event = (more: object) =>
      JSON.stringify({ id: 1, user: 'a', item: 'i1', behaviour: 'view', ...more });
    const asked: readonly (readonly [number, Promise<Response>])[] = [
      [
        200,
        post(
          '/v1/events',
          event({
            id: secret('event-id'),
            user: secret('user'),
            item: secret('item'),
            context: { [secret('context-name')]: secret('context') },
          }),
          { ...json, cookie: `sid=${secret('cookie')}`, 'x-forwarded-for': secret('address') },
        ),
      ],
      [200, fetch(`${url}/v1/recommendations?user=${secret('query-user')}`, { headers: json })],
      [
        400,
        fetch(`${url}/v1/recommendations?user=a&${secret('parameter')}=${secret('value')}`, {
          headers: json,
        }),
      ],
      [
        200,
        post(
          '/v1/recommendations',
          JSON.stringify({ user: 'a', history: [secret('history')], exclude: [secret('excluded')] }),
        ),
      ],
      [400, post('/v1/recommendations', JSON.stringify({ user: 'a', adapter: secret('adapter') }))],
      [400, post('/v1/events', event({ behaviour: secret('behaviour') }))],
      [400, post('/v1/events', event({ value: secret('number') }))],
      [400, post('/v1/events', event({ [secret('field')]: secret('field-value') }))],
      [400, post('/v1/events', `{"id": "${secret('malformed')}`)],
      [400, post('/v1/events', `[${secret('no-json')}]`)],
      [
        415,
        post('/v1/events', secret('form'), { ...bearing(token), 'content-type': `text/${secret('type')}` }),
      ],
      [404, fetch(`${url}/${secret('route')}/${secret('path')}?q=${secret('search')}`, { headers: json })],
      [400, fetch(`${url}/%zz${secret('encoding')}`)],
      [401, fetch(`${url}/v1/recommendations?user=a`, { headers: bearing(secret('token')) })],
      [401, fetch(`${url}/metrics`, { headers: { authorization: `Basic ${secret('basic')}` } })],
      [200, fetch(`${url}/v1/state?user=${secret('state')}`, { headers: json })],
      [200, fetch(`${url}/v1/elicitation?user=${secret('asked-user')}`, { headers: json })],
      [200, fetch(`${url}/v1/users/${secret('told')}`, { headers: json })],
      [200, fetch(`${url}/v1/users/${secret('told-lists')}/impressions`, { headers: json })],
      [200, fetch(`${url}/v1/users/${secret('erased')}`, { method: 'DELETE', headers: bearing(token) })],
      [400, fetch(`${url}/v1/users/a?after=${secret('after')}`, { headers: json })],
      [400, post('/v1/admin/learning', JSON.stringify({ action: secret('action') }))],
    ];
    for (const [n, [status, reply]] of asked.entries())
      assert.equal((await reply).status, status, `${n}: ${await (await reply).text()}`);
    await new Promise<void>((done) => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1', () =>
        socket.end(`GET ${secret('no-http')}\r\n\r\n`),
      );
      socket.on('close', () => done()).resume();
    });
    const metrics = await (await fetch(`${url}/metrics`, { headers: json })).text();
    child.kill('SIGTERM');
    const { code, stdout, stderr } = await ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /"route":"\/v1\/users\/:id"/, 'the log is at debug');
    const audit = await readFile(join(dir, 'safe/audit.log'), 'utf8');
    assert.match(audit, /users\.erase/);
    const written = { stdout, stderr, audit, metrics };
    const found = () =>
      Object.entries(written).flatMap(([where, text]) =>
        [...planted, token.split('.')[1]!].filter((one) => text.includes(one)).map((one) => [where, one]),
      );
    assert.deepEqual(found(), []);
    // The counterexample: one that had been written would be found.
    written.metrics += planted[0];
    assert.deepEqual(found(), [['metrics', planted[0]]]);
  });

  test('the command makes a key for pseudonyms once, and the service serves with it', async (t) => {
    const make = () =>
      spawnSync(
        process.execPath,
        [BINARY, 'serve-online', 'keys', 'pseudonym', 'secrets/names.json', '--json'],
        {
          cwd: dir,
          encoding: 'utf8',
        },
      );
    const made = make();
    assert.equal(made.status, 0, made.stderr);
    const { key } = JSON.parse(await readFile(join(dir, 'secrets/names.json'), 'utf8'));
    const audit = await readFile(join(dir, 'secrets/audit.log'), 'utf8');
    assert.match(audit, /"action":"keys\.pseudonym"/);
    assert(!(made.stdout + made.stderr + audit).includes(key));
    assert.match(make().stderr, /exists already/);
    const set = ['privacy.pseudonyms.keyFile=secrets/names.json', 'exploration.log=true'];
    const flags = [...set.flatMap((one) => ['--set', one]), '--log-level', 'debug'];
    const { child, ended, url } = await startService(dir, 'hidden', flags);
    t.after(() => child.kill('SIGKILL'));
    const client = new RecsysClient({ url, patience: 0 });
    await client.event(eventOf(ANN, 1));
    assert.equal((await client.recommendations(ANN)).user, ANN);
    client.close();
    child.kill('SIGTERM');
    const { code, stdout, stderr } = await ended;
    assert.equal(code, 0, stderr);
    assert(!(stdout + stderr).includes(ANN) && !(stdout + stderr).includes(key));
    assert.equal((await loggedIn(join(dir, 'hidden/impressions'))).length, 1);
    assert.deepEqual(await filesWith(join(dir, 'hidden'), ANN), []);
    assert.deepEqual(await filesWith(join(dir, 'hidden'), key), []);
  });

  test('a service killed amid an erasure has completed it when it answers again', async (t) => {
    const more = ['--set', 'retention.segmentBytes=4096', '--set', 'exploration.log=true'];
    const first = await startService(dir, 'filled', more);
    const client = new RecsysClient({ url: first.url, patience: 0 });
    for (let n = 0; n < 20; n++)
      await client.events(Array.from({ length: 50 }, (_, i) => eventOf(i % 2 ? ANN : 'bob', n * 50 + i)));
    for (let n = 0; n < 30; n++) await client.recommendations(n % 2 ? ANN : 'bob');
    client.close();
    first.child.kill('SIGTERM');
    assert.equal((await first.ended).code, 0);
    assert((await filesWith(join(dir, 'filled/impressions'), ANN)).length > 2);
    assert((await filesWith(join(dir, 'filled'), ANN)).length > 5, 'many segments hold the user');
    let amid = 0;
    for (const delay of [0, 10, 60]) {
      const state = join(dir, `killed-${delay}`);
      await cp(join(dir, 'filled'), state, { recursive: true });
      const { child, ended, url } = await startService(dir, `killed-${delay}`, more);
      t.after(() => child.kill('SIGKILL'));
      const erasing = new RecsysClient({ url, patience: 0 });
      const erased = erasing.eraseUser(ANN).catch(() => undefined);
      // The record is on the disk: from here on it is promised.
      while ((await filesWith(join(state, 'journal'), '"erase"')).length === 0) await sleep(1);
      await sleep(delay);
      child.kill('SIGKILL');
      await erased;
      await ended;
      erasing.close();
      if (existsSync(join(state, 'erasing'))) amid++;
      const again = await startService(dir, `killed-${delay}`, more);
      assert.notEqual(again.url, '', (await Promise.race([again.ended, sleep(0)]))?.stderr);
      assert.deepEqual(await filesWith(state, ANN), [], `killed after ${delay} ms`);
      const bob = new RecsysClient({ url: again.url, patience: 0 });
      assert.equal((await bob.user('bob', { limit: 1000 })).events.length, 500);
      assert.equal((await bob.user(ANN)).history?.length, 0);
      bob.close();
      again.child.kill('SIGTERM');
      const { code, stderr } = await again.ended;
      assert.equal(code, 0, stderr);
      const out = await recsys(['impressions', `killed-${delay}`, '--out', `${delay}.jsonl`, '--json'], dir);
      assert.equal(out.code, 0, out.stderr);
      assert.doesNotMatch(out.stderr, /erased/);
      assert.equal(JSON.parse(out.stdout).metrics.impressions, 15, 'those of bob');
      const asked = [
        'off-policy',
        '--log',
        `${delay}.jsonl`,
        '--model',
        'model',
        '--backend',
        'cpu',
        '--json',
      ];
      const estimate = await recsys(asked, dir);
      assert.equal(JSON.parse(estimate.stdout).lists, 15, estimate.stderr);
    }
    t.diagnostic(`${amid} of 3 kills came amid the erasure`);
  });

  test('a service that is killed while users are renamed after a rotation: the next start has no old name left', async (t) => {
    const work = join(dir, 'rotation');
    await mkdir(work);
    await cp(join(dir, 'model'), join(work, 'model'), { recursive: true });
    const keys = (...args: string[]) =>
      spawnSync(process.execPath, [BINARY, 'serve-online', 'keys', ...args, '--json'], {
        cwd: work,
        encoding: 'utf8',
      });
    assert.equal(keys('pseudonym', 'key.json').status, 0);
    const flags = ['--set', 'privacy.pseudonyms.keyFile=key.json', '--set', 'exploration.log=true'];
    const { child, ended, url } = await startService(work, 'begun', flags);
    t.after(() => child.kill('SIGKILL'));
    const client = new RecsysClient({ url, patience: 0 });
    for (let n = 0; n < 5; n++) await client.event(eventOf(ANN, n));
    await client.recommendations(ANN);
    client.close();
    child.kill('SIGTERM');
    assert.equal((await ended).code, 0);
    const first = pseudonyms([
      Buffer.from(JSON.parse(await readFile(join(work, 'key.json'), 'utf8')).key, 'base64url'),
    ]);
    const old = [ANN, 'u1', `${ANN}/3`].map(first.of);
    for (const name of old) assert.notDeepEqual(await filesWith(join(work, 'begun'), name), []);

    const rotated = keys('rotate', 'key.json');
    assert.equal(rotated.status, 0, rotated.stderr);
    assert.equal(JSON.parse(rotated.stdout).keys, 2);
    const file = await readFile(join(work, 'key.json'), 'utf8');
    const audit = await readFile(join(work, 'audit.log'), 'utf8');
    assert.match(audit, /"action":"keys\.rotate"/);
    for (const { key } of JSON.parse(file).keys)
      assert(!(rotated.stdout + rotated.stderr + audit).includes(key));

    // The newest snapshot first, then the good one.
    for (const name of ['output.filled', 'output.aside', 'output.published', 'output.removing'] as const)
      for (const nth of [1, 2]) {
        const state = `${name}-${nth}`;
        await cp(join(work, 'begun'), join(work, state), { recursive: true });
        const { signal, stderr } = spawnSync(process.execPath, [BINARY, ...serving(state), ...flags], {
          cwd: work,
          encoding: 'utf8',
          env: { ...process.env, ...failingAt(name, nth) },
        });
        assert.equal(signal, 'SIGKILL', stderr);
        assert.match(await readFile(join(work, state, 'pseudonyms.json'), 'utf8'), /renaming/);
        const next = await startService(work, state, flags);
        t.after(() => next.child.kill('SIGKILL'));
        const reader = new RecsysClient({ url: next.url, patience: 0 });
        assert.equal((await reader.state(ANN)).events, 5);
        reader.close();
        for (const one of [...old, ANN]) assert.deepEqual(await filesWith(join(work, state), one), [], state);
        next.child.kill('SIGTERM');
        assert.equal((await next.ended).code, 0);
      }
  });
});
