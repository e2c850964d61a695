import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { RecsysClient } from '../../src/client/client.js';
import { writeTinyCheckpoint } from '../online/checkpoint-fixture.js';
import { ROOT, recsys, refused, startService } from '../suites/binary.js';

const built = ['main.js', 'commands/off-policy.js', 'commands/impressions.js'].every((file) =>
  existsSync(join(ROOT, 'dist', file)),
);

const YAML = `exploration: { kind: softmax, temperature: 2, pool: 8, log: true }
learning: { enabled: false }
quality: { arms: false }
`;

describe('recsys off-policy', { skip: built ? false : 'not built (npm run build)' }, () => {
  let dir = '';
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'recsys-off-policy-'));
    await writeTinyCheckpoint(join(dir, 'model'));
    await writeTinyCheckpoint(join(dir, 'other'), 2);
    await writeFile(join(dir, 'serve.yaml'), YAML);
  });
  after(() => rm(dir, { recursive: true, force: true }));

  test('lists that a service explored with, what came of them, and what a policy would have earned', async () => {
    const first = await startService(dir, join(dir, 'state'), ['--config', 'serve.yaml']);
    const client = new RecsysClient({ url: first.url });
    const served = new Map<string, { items: readonly { item: string; propensity?: number | undefined }[] }>();
    for (let n = 0; n < 60; n++) {
      const user = `u${n}`;
      await client.event({ id: `h${n}`, user, item: `i${(n % 7) + 1}`, behaviour: 'view' });
      const list = await client.recommendations(user, { k: 3 });
      served.set(list.requestId, list);
      const [chosen] = list.items;
      // Every third list: the first item is bought, and looked at by all.
      const requestId = list.requestId;
      await client.event({ id: `v${n}`, user, item: chosen!.item, behaviour: 'view', requestId });
      if (n % 3 === 0)
        await client.event({ id: `b${n}`, user, item: chosen!.item, behaviour: 'buy', requestId });
    }
    // Killed: what was answered is on the disk.
    first.child.kill('SIGKILL');
    await first.ended;
    client.close();

    const out = await recsys(['impressions', 'state', '--out', 'impressions.jsonl', '--json'], dir);
    assert.equal(out.code, 0, out.stderr);
    assert.deepEqual(JSON.parse(out.stdout).metrics, { impressions: 60, events: 80 });
    const lines = (await readFile(join(dir, 'impressions.jsonl'), 'utf8')).trim().split('\n');
    for (const line of lines) {
      const { requestId, items, pool, events } = JSON.parse(line);
      const list = served.get(requestId)!;
      assert.deepEqual(
        items,
        list.items.map(({ item, propensity }) => ({ item, propensity })),
      );
      assert.equal(pool.length, 8);
      assert.equal(events[0].item, list.items[0]?.item);
    }

    const own = ['--policy', 'softmax', '--set', 'policy.temperature=2'];
    const ask = (model: string, ...more: string[]) =>
      recsys(
        ['off-policy', '--log', 'impressions.jsonl', '--model', model, '--backend', 'cpu', '--json', ...more],
        dir,
      );
    const same = await ask('model', '--behaviour', 'buy', ...own);
    assert.equal(same.code, 0, same.stderr);
    const estimate = JSON.parse(same.stdout);
    assert.deepEqual([estimate.lists, estimate.users, estimate.intervals], [60, 60, 'bootstrap']);
    assert(Math.abs(estimate.logged.mean - 1 / 3) < 1e-9);
    // The same model with the same policy: all weights are 1, whatever the log’s own sums of floats.
    for (const name of ['ips', 'snips'])
      assert(Math.abs(estimate.metrics[name] - 1 / 3) < 1e-4, `${name}: ${estimate.metrics[name]}`);
    const { mean, low, high } = estimate.estimates.dr;
    assert(low < 1 / 3 && 1 / 3 < high && Math.abs(mean - 1 / 3) < 0.05, `DR ${mean}`);
    assert(Math.abs(estimate.effectiveSize - 60) < 0.01 && Math.abs(estimate.largestWeight - 1) < 1e-4);

    const other = JSON.parse((await ask('other', ...own)).stdout);
    assert(other.effectiveSize < 60 && other.largestWeight > 1);
    const text = await recsys(
      ['off-policy', '--log', 'impressions.jsonl', '--model', 'other', '--backend', 'cpu'],
      dir,
    );
    assert.match(text.stdout, /60 lists of 60 users.*bootstrap over users/);
    assert.match(text.stdout, /SNIPS +\d\.\d{4} \[/);
  });

  test('without propensities there is no estimate; a state directory without impressions is named', async () => {
    const log = join(dir, 'bad.jsonl');
    await writeFile(log, '{"requestId": "r", "items": [{"item": "i1", "propensity": 0}], "events": []}\n');
    const args = ['off-policy', '--log', 'bad.jsonl', '--model', 'model', '--backend', 'cpu'];
    await refused(3, /bad\.jsonl:1: items\.0\.propensity is 0/, recsys(args, dir));
    await writeFile(log, '');
    await refused(3, /has no list that a model made/, recsys(args, dir));
    await refused(3, /there is no log of impressions/, recsys(['impressions', 'model'], dir));
  });
});
