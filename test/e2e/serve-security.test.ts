import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { listFiles } from '../../src/storage/disk.js';
import { writeTinyCheckpoint } from '../online/checkpoint-fixture.js';
import { bearing, certificate, openssl } from '../online/security/fixtures.js';
import { BINARY, ROOT, startService } from '../suites/binary.js';

const built = existsSync(join(ROOT, 'dist/main.js')) && existsSync(join(ROOT, 'dist/commands/keys.js'));

describe('the security of recsys serve-online', { skip: built ? false : 'not built (npm run build)' }, () => {
  let dir = '';
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'recsys-security-'));
    await writeTinyCheckpoint(join(dir, 'model'));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  function recsys(...args: string[]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [BINARY, 'serve-online', ...args], {
      cwd: dir,
      encoding: 'utf8',
    });
    return { status, stdout, stderr };
  }

  /** Starts the real binary with the tiny model; resolves when it answers requests. */
  async function serve(t: TestContext, name: string, ...args: string[]) {
    const { child, ended, url } = await startService(dir, name, args);
    t.after(() => child.kill('SIGKILL'));
    if (url === '') throw new Error((await ended).stderr);
    return {
      url,
      async stop() {
        child.kill('SIGTERM');
        const { code, stdout, stderr } = await ended;
        assert.equal(code, 0, stderr);
        return stdout + stderr;
      },
    };
  }

  test('keys create, list and revoke; the secret is shown once', async () => {
    const made = recsys('keys', 'create');
    assert.equal(made.status, 0, made.stderr);
    assert.match(made.stdout, /^rsk_[0-9a-f]{12}\.[\w-]{43}\n$/);
    const [id, secret] = made.stdout.trim().slice(4).split('.') as [string, string];
    const json = recsys('keys', 'create', '--name', 'ops', '--scope', 'admin', '--days', '30', '--json');
    const { token, sha256, ...key } = JSON.parse(json.stdout);
    assert.deepEqual([key.name, key.scopes, key.status, sha256], ['ops', ['admin'], 'valid', undefined]);
    assert.equal(token.slice(4, 16), key.id);
    assert.equal(Date.parse(key.expires) - Date.parse(key.created), 30 * 24 * 60 * 60 * 1000);
    assert.equal(recsys('keys', 'revoke', key.id).status, 0);
    const list = recsys('keys', 'list', '--keys', 'keys.json').stdout;
    assert.match(list, new RegExp(`^${id} +unnamed +read, write +\\S+ +– +valid$`, 'm'));
    assert.match(list, new RegExp(`^${key.id} +ops +admin +\\S+ +\\S+ +revoked$`, 'm'));
    assert(!(list + made.stderr + json.stderr).includes(secret));
    if (process.platform !== 'win32') assert.equal((await stat(join(dir, 'keys.json'))).mode & 0o777, 0o600);
    const log = await readFile(join(dir, 'audit.log'), 'utf8');
    assert.deepEqual(
      log
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).action),
      ['keys.create', 'keys.create', 'keys.revoke'],
    );
  });

  test('what the command line has wrong is said; help names the commands below', () => {
    for (const [args, said] of [
      [['keys'], /Not enough non-option arguments[\s\S]*recsys serve-online keys --help/],
      [
        ['keys', 'remove'],
        /<action>: expected one of create, list, revoke, pseudonym, rotate, found "remove"/,
      ],
      [['keys', 'revoke'], /which key\?/],
      [['keys', 'revoke', 'nobody'], /there is no key "nobody"/],
      [['keys', 'pseudonym'], /to which file\?/],
      [['keys', 'rotate'], /in which file\?/],
      [['keys', 'create', '--scope', 'all'], /scopes\.0: expected "read", "write" or "admin", found "all"/],
      [['key', 'create'], /unknown argument/],
    ] as const) {
      const { status, stderr } = recsys(...args);
      assert.equal(status, 2, stderr);
      assert.match(stderr, said);
    }
    assert.match(recsys('--help').stdout, /recsys serve-online keys: make, list or revoke/);
    assert.match(recsys('keys', '--help').stdout, /^recsys serve-online keys <action> \[id\]/);
  });

  test('beyond loopback it does not listen without keys, and writes nothing', () => {
    const refused = recsys('--model', 'model', '--state', 'outside', '--port', '0', '--host', '0.0.0.0');
    assert.equal(refused.status, 2, refused.stderr);
    assert.match(refused.stderr, /0\.0\.0\.0 can be reached from outside/);
    assert.match(refused.stderr, /recsys serve-online keys create/);
    assert.equal(existsSync(join(dir, 'outside')), false);
  });

  test('beyond loopback with keys and TLS; a key revoked meanwhile is refused', {
    skip: openssl ? false : 'openssl is not installed',
  }, async (t) => {
    const { cert, key } = certificate(dir, 'server');
    const token = recsys('keys', 'create', '--keys', 'outer.json').stdout.trim();
    await writeFile(
      join(dir, 'serve.yaml'),
      'security:\n  keys: outer.json\n  tls: { cert: server.crt, key: server.key }\n',
    );
    const { url, stop } = await serve(t, 'tls', '-c', 'serve.yaml', '--host', '0.0.0.0');
    assert.match(url, /^https:/);
    const ca = await readFile(cert);
    const ask = (headers: Record<string, string>): Promise<number> =>
      new Promise((resolve, reject) => {
        const to = {
          host: '127.0.0.1',
          port: new URL(url).port,
          path: '/v1/recommendations?user=a',
          ca,
          headers,
        };
        request(to, (reply) => resolve(reply.resume().statusCode!))
          .on('error', reject)
          .end();
      });
    assert.equal(await ask({}), 401);
    assert.equal(await ask(bearing(token)), 200);
    assert.equal(recsys('keys', 'revoke', token.slice(4, 16), '--keys', 'outer.json').status, 0);
    const start = Date.now();
    while ((await ask(bearing(token))) === 200) {
      assert(Date.now() - start < 20_000, 'still let in');
      await sleep(50);
    }
    assert.equal(await ask(bearing(token)), 401);
    const said = await stop();
    assert(!said.includes((await readFile(key, 'utf8')).split('\n')[1]!), 'the private key is not printed');
  });

  test('no secret is in what the service writes: log at debug, state, metrics', async (t) => {
    const tokens = ['read', 'write'].map((scope) =>
      recsys('keys', 'create', '--keys', 'quiet/keys.json', '--scope', scope).stdout.trim(),
    ) as [string, string];
    const [read, write] = tokens;
    const wrong = `${read.slice(0, 17)}${write.slice(17)}`;
    const { url, stop } = await serve(t, 'quiet-state', '--keys', 'quiet/keys.json', '--log-level', 'debug');
    const json = { 'content-type': 'application/json' };
    const post = (token: string, body: string, path = '/v1/events') =>
      fetch(url + path, { method: 'POST', headers: { ...json, ...bearing(token) }, body });
    const replies = [
      await fetch(`${url}/v1/recommendations?user=a`, { headers: bearing(read) }),
      await post(write, '[{"id":1,"user":"a","item":"i1","behaviour":"view"}]'),
      await post(write, '{"user":"a"}', '/v1/recommendations'),
      await fetch(`${url}/v1/recommendations?user=a`, { headers: bearing(wrong) }),
      await fetch(`${url}/v1/recommendations?user=a&key=${read}`, { headers: bearing(read) }),
      await fetch(`${url}/${write}`, { headers: bearing(write) }),
      await fetch(`${url}/%zz${write}`),
      await post(write, `{"id": "${write}`),
      await post(write, `{"${write}": 1}`),
      await post(write, JSON.stringify({ id: 2, user: 'a', item: 'i1', behaviour: write })),
      await fetch(`${url}/metrics`, { headers: bearing(read) }),
    ];
    assert.deepEqual(
      replies.map(({ status }) => status),
      [200, 200, 403, 401, 400, 404, 400, 400, 400, 400, 200],
    );
    const texts = new Map<string, string>();
    for (const [n, reply] of replies.entries())
      texts.set(`reply ${n}`, (await reply.text()) + JSON.stringify([...reply.headers]));
    const said = await stop();
    assert.match(said, /"route":"\/v1\/events","status":200/, 'the log is at debug');
    texts.set('stdout and stderr', said);
    for (const folder of ['quiet', 'quiet-state'])
      for (const file of await listFiles(join(dir, folder)))
        texts.set(file, await readFile(join(dir, folder, file), 'latin1'));
    assert(
      texts.has('audit.log') &&
        texts.has('keys.json') &&
        [...texts.keys()].some((name) => /journal/.test(name)),
    );
    const secrets = tokens.map((token) => token.split('.')[1]!);
    const found = () =>
      [...texts].filter(([, text]) => secrets.some((secret) => text.includes(secret))).map(([name]) => name);
    assert.deepEqual(found(), []);
    // The counterexample: one that had been written would be found.
    texts.set('a leak', `{"msg":"request","authorization":"Bearer ${read}"}`);
    assert.deepEqual(found(), ['a leak']);
  });
});
