import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { BINARY, ROOT, recsys, start, startProgram } from '../suites/binary.js';

const missing = (): string | false => {
  if (process.platform === 'win32') return 'needs bash and curl';
  if (!existsSync(join(ROOT, 'dist/main.js'))) return 'not built (npm run build)';
  return false;
};

/** Ends a process that was started here, and waits until it has. */
async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((done) => child.once('close', done));
  child.kill('SIGTERM');
  await gone;
}

/** The first line a process says that matches. */
function said(child: ChildProcess, what: RegExp): Promise<string> {
  return new Promise((done, failed) => {
    let text = '';
    child.once('close', () => failed(new Error(text)));
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk) => {
        text += chunk;
        const found = what.exec(text);
        if (found) done(found[0]);
      });
  });
}

describe('examples/, run as they say', { skip: missing() }, () => {
  let dir = '';
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'recsys-examples-'));
    const yaml = (stage: string) => ['-q', '-c', join(ROOT, `configs/quickstart/${stage}.yaml`), '--out'];
    const made = (at: string) => join('runs/quickstart', at);
    for (const args of [
      ['generate', ...yaml('generate'), made('raw'), '--users', '40', '--set', 'brands=2'],
      ['prepare', ...yaml('prepare'), made('dataset'), '--raw', made('raw')],
      ['pretrain', ...yaml('pretrain'), made('tuned'), '--data', made('dataset'), '--set', 'epochs=1'],
    ]) {
      const { code, stderr } = await recsys(args, dir);
      assert.equal(code, 0, stderr);
    }
  });
  after(() => rm(dir, { recursive: true, force: true }));

  test('a shop goes on without its service, and a night makes a model of what its visitors did', async (t) => {
    const service = async (port: string) => {
      const { child } = start(
        ['serve-online', '--model', 'runs/quickstart/tuned', '--state', 'runs/state', '--port', port].concat([
          '--set',
          'checkpoints.directory=runs',
        ]),
        dir,
        { RECSYS_BACKEND: 'cpu' },
      );
      t.after(() => stopped(child));
      return { child, url: await said(child, /http:\/\/127\.0\.0\.1:\d+(?=; API)/) };
    };
    const first = await service('0');
    const { child: shop } = startProgram(process.execPath, [join(ROOT, 'examples/shop.mjs')], dir, {
      RECSYS_URL: first.url,
      PORT: '0',
      BESTSELLERS: 'i1,<b>',
      LONGEST_MS: '3000',
    });
    t.after(() => stopped(shop));
    const home = await said(shop, /http:\/\/127\.0\.0\.1:\d+/);
    /** A visitor's page, after one of its buttons was pressed perhaps. */
    const visit = async (cookie: string, press?: { item: string; behaviour: string; list: string }) => {
      if (press) {
        const body = new URLSearchParams(press);
        const sent = await fetch(`${home}/did`, {
          method: 'POST',
          body,
          headers: { cookie },
          redirect: 'manual',
        });
        assert.equal(sent.status, 303);
      }
      const reply = await fetch(home, { headers: { cookie } });
      const page = await reply.text();
      return {
        cookie: reply.headers.get('set-cookie')!.split(';')[0]!,
        heading: /<h1>(.*)<\/h1>/.exec(page)![1],
        items: [...page.matchAll(/name="item" value="([^"]*)"/g)].map(([, item]) => item!),
        list: /name="list" value="([^"]*)"/.exec(page)![1]!,
      };
    };

    /** Visits until a page is as it should be, however slow the machine; the last page else. */
    const until = async (cookie: string, right: (page: Awaited<ReturnType<typeof visit>>) => boolean) => {
      const end = Date.now() + 30_000;
      let page = await visit(cookie);
      while (!right(page) && Date.now() < end) page = await visit(cookie);
      return page;
    };

    // Who hangs up in the middle of a request ends that request alone.
    const hangingUp = connect({ port: Number(new URL(home).port), host: '127.0.0.1' });
    await new Promise((done) =>
      hangingUp.write('POST /did HTTP/1.1\r\nHost: shop\r\nContent-Length: 99\r\n\r\nitem', done),
    );
    hangingUp.destroy();

    const asked = await until('', ({ heading }) => heading !== 'Bestsellers');
    assert.equal(asked.heading, 'New here? What do you like?');
    assert.equal(asked.items.length, 6);
    const [item] = asked.items;
    await visit(asked.cookie, { item: item!, behaviour: 'cart', list: '' });
    const after = await until(asked.cookie, ({ heading }) => heading !== 'Bestsellers');
    assert.equal(after.heading, 'For you');
    assert.equal(after.cookie, asked.cookie);
    assert(!after.items.includes(item!), 'what is in the basket is not listed again');
    for (const visitor of ['ann', 'bob', 'eve'])
      for (const item of asked.items.slice(0, 4))
        await visit(`visitor=${visitor}`, { item, behaviour: 'view', list: after.list });

    const night = (name: string) =>
      startProgram('bash', [join(ROOT, 'examples/nightly.sh')], dir, {
        RECSYS_URL: first.url,
        RECSYS: BINARY,
        YAML: join(ROOT, 'configs/quickstart'),
        TONIGHT: `runs/nights/${name}`,
      }).ended;
    for (const [name, before] of [
      ['1', 'quickstart'],
      ['2', 'nights/1'],
    ] as const) {
      const { code, stdout, stderr } = await night(name);
      assert.equal(code, 0, stderr);
      assert.match(
        stdout,
        new RegExp(`runs/nights/${name}: swapped true, served now: .*nights/${name}/tuned`),
      );
      const taken = JSON.parse(await readFile(join(dir, `runs/nights/${name}/taken.json`), 'utf8'));
      assert.equal(taken.before.path, join(dir, `runs/${before}/tuned`));
      // With each swap the comparison begins anew.
      assert.equal(taken.comparison.trained > 0, name === '1', 'the visitors’ events were trained on');
      const { users } = JSON.parse(
        await readFile(join(dir, `runs/nights/${name}/dataset/manifest.json`), 'utf8'),
      ).counts;
      assert.equal(users, 40 + 4);
    }

    await stopped(first.child);
    const alone = await visit('visitor=ann', { item: asked.items[5]!, behaviour: 'cart', list: '' });
    assert.equal(alone.heading, 'Bestsellers');
    assert.deepEqual(alone.items, ['i1', '&#60;b&#62;']);
    const waiting = said(shop, /an event was lost/).then(assert.fail, () => undefined);
    await service(new URL(first.url).port);
    const back = await until(
      'visitor=ann',
      ({ items }) => items.length === 8 && !items.includes(asked.items[5]!),
    );
    assert.equal(back.heading, 'For you');
    assert(!back.items.includes(asked.items[5]!), 'the event that waited has come');
    await stopped(shop);
    await waiting;
  });
});
