import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PASSED } from '../../src/traffic/chaos/deaths.js';
import type { Kill } from '../../src/traffic/chaos/storm.js';
import { writeTinyCheckpoint } from '../online/checkpoint-fixture.js';
import { filesWith } from '../online/privacy/fixtures.js';
import { ROOT, recsys, refused, served, start } from '../suites/binary.js';

const built = existsSync(join(ROOT, 'dist/commands/chaos.js'));

describe('replay, load-test and chaos', { skip: built ? false : 'not built (npm run build)' }, () => {
  let dir = '';
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'recsys-traffic-'));
    await writeTinyCheckpoint(join(dir, 'model'));
  });
  after(() => rm(dir, { recursive: true, force: true }));

  test('a log replayed twice: the second time all are duplicates; what is journalled is the log', async (t) => {
    const rows = Array.from({ length: 500 }, (_, n) => ({
      user: `u${n % 7}`,
      item: `i${((n * 11) % 40) + 1}`,
      behaviour: n % 3 ? 'view' : 'buy',
      // Rows out of order are put in order.
      time: 1_700_000_000_000 + 1000 * (n ^ 1),
    }));
    await writeFile(join(dir, 'log.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'));
    const to = await served(t, dir, 'replayed');
    const args = ['replay', 'log.jsonl', '--to', to, '--connections', '2', '--batch', '50', '--json'];
    const [first, second] = [await recsys(args, dir), await recsys(args, dir)];
    assert.equal(first.code, 0, first.stderr);
    const counts = ({ stdout }: { stdout: string }) => {
      const { metrics, reasons } = JSON.parse(stdout);
      return [metrics.events, metrics.accepted, metrics.duplicates, metrics.refused, reasons];
    };
    assert.deepEqual(counts(first), [500, 500, 0, 0, {}]);
    assert.deepEqual(counts(second), [500, 0, 500, 0, {}]);
    const limited = await recsys(['replay', 'log.jsonl', '--to', to, '--limit', '5', '--speed', '1000'], dir);
    assert.match(limited.stdout, /^5 events: 0 accepted, 5 duplicates, 0 refused; /);

    const exported = await recsys(['journal', 'export', 'replayed', '--out', 'back.jsonl'], dir);
    assert.equal(exported.code, 0, exported.stderr);
    const lines = (await readFile(join(dir, 'back.jsonl'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const times = (all: { user: string; time: number }[], user: string) =>
      all.filter((row) => row.user === user).map(({ time }) => time);
    for (const user of ['u0', 'u6'])
      assert.deepEqual(
        times(lines, user),
        times(rows, user).sort((a, b) => a - b),
      );
    // What a service exported is what another one takes, under the same ids.
    const again = await recsys(['replay', 'back.jsonl', '--to', to, '--json'], dir);
    assert.deepEqual(counts(again).slice(0, 3), [500, 0, 500]);
    const wrong = recsys(['replay', 'log.jsonl', '--to', to, '--data', 'x'], dir);
    await refused(2, /either which log to send/, wrong);
  });

  test('Ctrl-C stops a replay, and the same command goes on', async (t) => {
    const rows = Array.from({ length: 200 }, (_, n) => `u${n % 5},i${(n % 40) + 1},${1_700_000_000 + n}`);
    await writeFile(join(dir, 'log.csv'), `user,item,time\n${rows.join('\n')}\n`);
    const to = await served(t, dir, 'stopped');
    const args = ['replay', 'log.csv', '--to', to, '--set', 'timeFormat=epoch-s', '--set', 'behaviour=view'];
    const { child, ended } = start([...args, '--speed', '100'], dir);
    for (let seen = ''; !/replay · \d/.test(seen); ) {
      seen += await new Promise<string>((done) => child.stderr.once('data', (chunk) => done(String(chunk))));
    }
    child.kill('SIGINT');
    await refused(130, /stopped after \d+ of 200 events\n.*it goes on/, ended);
    const rest = await recsys([...args, '--json'], dir);
    const { accepted, duplicates } = JSON.parse(rest.stdout).metrics;
    assert(accepted > 0 && duplicates > 0, rest.stdout);
    assert.equal(accepted + duplicates, 200);
    const nobody = recsys(['replay', 'log.csv', '--to', 'http://127.0.0.1:1'], dir);
    await refused(5, /nobody answers there/, nobody);
  });

  test('load-test: the parts of the report add up', async (t) => {
    const to = await served(t, dir, 'loaded');
    await writeFile(join(dir, 'users.txt'), 'u1\nu2\nnobody\n');
    const out = ['--out', 'load', '--json'];
    const load = ['--warmup', '0.2', '--duration', '1.5', '--rate', '60', '--events', '40', '--batch', '4'];
    const set = ['--set', 'behaviour=view', '--set', 'mix={get: 1, post: 1, state: 1, elicitation: 1}'];
    const args = ['load-test', '--to', to, '--users', 'users.txt', ...out, ...load, ...set];
    const ended = await recsys(args, dir);
    assert.equal(ended.code, 0, ended.stderr);
    const result = JSON.parse(ended.stdout);
    const facts = JSON.parse(await readFile(join(dir, 'load', 'load-test.json'), 'utf8'));
    assert.deepEqual([facts.formatVersion, facts.to, facts.seconds], [1, to, 1.5]);
    const asked = facts.routes.filter(({ route }: { route: string }) => route !== 'POST /v1/events');
    const count = asked.reduce((sum: number, row: { count: number }) => sum + row.count, 0);
    // 60 a second for 1.5 seconds, begun or not.
    assert.equal(count + facts.notBegun, 90);
    for (const row of facts.routes) {
      assert(row.p50 <= row.p90 && row.p90 <= row.p99 && row.p99 <= row['p99.9'] && row['p99.9'] <= row.max);
      assert(Math.abs(row.perSecond * 1.5 - row.count) < 1e-6);
    }
    const good = asked.filter(({ status }: { status: number }) => status === 200);
    const perSecond = good.reduce((sum: number, row: { perSecond: number }) => sum + row.perSecond, 0);
    assert(Math.abs(result.metrics['requests/s'] - perSecond) < 1e-9);
    assert.deepEqual(facts.errors, {});
    assert.equal(result.metrics.errors, 0);
    // 1.7 seconds with 10 requests of 4 events.
    assert.equal(facts.events.accepted + facts.events.notBegun, 68);
    const { list, model, unseen } = facts.events.changed;
    assert(list.count > 0 && list.count - model.count <= 1 && unseen === 0);
    const page = await readFile(join(dir, 'load', 'report.html'), 'utf8');
    for (const text of [
      'Load test',
      'POST /v1/events',
      'a list that follows from it',
      '<svg',
      'connections: 16',
    ])
      assert(page.includes(text), text);
    await refused(2, /exists/, recsys(args, dir));

    // Events without a behaviour are refused by a model of several.
    const short = ['--warmup', '0', '--duration', '0.5', '--events', '20', '--out', 'unnamed'];
    const unnamed = await recsys(['load-test', '--to', to, '--users', 'users.txt', ...short], dir);
    assert.match(unnamed.stderr, /no event was taken \(REQUEST_INVALID\): give --data/);
  });

  test('chaos: a service that does not start says why', async () => {
    const args = ['chaos', '--model', 'model', '--service', 'absent.yaml', '--kills', '1'];
    await refused(
      5,
      /ended by itself\n.*absent\.yaml: no such file.*`recsys serve-online`/s,
      recsys(args, dir),
    );
    assert.ok(!existsSync(join(dir, 'chaos')));
  });

  test('chaos: killed at random and at every named moment, nothing is lost, and a replay gives the same bits', async () => {
    // Events at random teach nothing: given enough of them the guard would rightly stop learning.
    await writeFile(join(dir, 'unguarded.yaml'), 'guard: { action: alert }\n');
    const service = ['--model', 'model', '--service', 'unguarded.yaml', '--backend', 'cpu'];
    const args = ['chaos', ...service, '--kills', '3', '--rate', '600', '--json'];
    const ended = await recsys([...args, '--set', 'life={least: 0.1, most: 0.6}', '--seed', '5'], dir);
    assert.equal(ended.code, 0, ended.stderr);
    const { metrics } = JSON.parse(ended.stdout);
    const named = PASSED;
    assert.deepEqual([metrics.kills, metrics.lost], [3 + named.length, 0]);
    assert(metrics.acknowledged >= 500, `${metrics.acknowledged}`);
    assert.equal(metrics.learned, metrics.acknowledged);
    const facts = JSON.parse(await readFile(join(dir, 'chaos', 'chaos.json'), 'utf8'));
    assert.deepEqual(
      [facts.whole, facts.journal.lost, facts.state.different],
      [true, { count: 0, first: [] }, []],
    );
    assert(facts.state.tensors > 5);
    assert.deepEqual(
      [facts.unreached, facts.kills.slice(3).map((kill: Kill) => kill.failpoint)],
      [[], named],
    );
    assert.equal(new Set(facts.kills.map(({ pid }: Kill) => pid)).size, 3 + named.length);
    assert.equal(facts.journal.events, metrics.acknowledged);
    assert.match(await readFile(join(dir, 'chaos', 'report.html'), 'utf8'), /nothing lost, nothing twice/);

    // Begun with what the first one left, whose state stays as it is.
    const before = await readFile(join(dir, 'chaos/state/journal/journal-000000000001.log'));
    const next = ['--state', 'chaos/state', '--out', 'further', '--kills', '1', '--failpoints', '0'];
    const further = await recsys([...args, ...next, '--set', 'life={least: 0.1, most: 0.3}'], dir);
    assert.equal(further.code, 0, further.stderr);
    const second = JSON.parse(further.stdout).metrics;
    assert.equal(second.learned, metrics.acknowledged + second.acknowledged);
    assert.deepEqual(await readFile(join(dir, 'chaos/state/journal/journal-000000000001.log')), before);
  });

  test('a service with keys: each command sends that of the environment, and writes it nowhere', async (t) => {
    const made = ['keys', 'create', '--keys', 'keys.json', '--scope', 'read', '--scope', 'write'];
    const key = (await recsys(['serve-online', ...made], dir)).stdout.trim();
    const row = { user: 'ann', item: 'i1', behaviour: 'view', time: 1_700_000_000_000 };
    await writeFile(join(dir, 'keyed.jsonl'), JSON.stringify(row));
    await writeFile(join(dir, 'serve.yaml'), 'model: model\nstate: unused\nsecurity: { keys: keys.json }\n');
    const to = await served(t, dir, 'locked', '--keys', 'keys.json');
    const commands = [
      ['replay', 'keyed.jsonl', '--to', to],
      ['load-test', '--to', to, '--warmup', '0', '--duration', '0.5', '--out', 'keyed/load'],
      [
        ...['chaos', '--model', 'model', '--service', 'serve.yaml', '--backend', 'cpu', '--kills', '1'],
        ...['--failpoints', '0', '--set', 'life={least: 0.1, most: 0.3}', '--out', 'keyed/chaos'],
      ],
    ];
    t.after(() => delete process.env.RECSYS_API_KEY);
    for (const command of commands) {
      delete process.env.RECSYS_API_KEY;
      const without = await recsys(command, dir);
      assert.equal(without.code, 5, `${command[0]}: ${without.stderr}`);
      assert.match(without.stderr, /UNAUTHENTICATED/);
      process.env.RECSYS_API_KEY = key;
      const ended = await recsys([...command, '--json', '--log-level', 'debug'], dir);
      assert.equal(ended.code, 0, `${command[0]}: ${ended.stderr}`);
      assert(!(ended.stdout + ended.stderr).includes(key), command[0]);
    }
    assert.deepEqual(await filesWith(join(dir, 'keyed'), key), []);
    assert.notDeepEqual(await filesWith(join(dir, 'keyed'), 'seed'), []);
  });
});
