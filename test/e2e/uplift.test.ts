import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { RecsysClient } from '../../src/client/client.js';
import type { Catalogue } from '../../src/types.js';
import { writeTinyCheckpoint } from '../online/checkpoint-fixture.js';
import { catalogue } from '../online/fixtures.js';
import { ROOT, recsys, refused, startService } from '../suites/binary.js';

const built = ['main.js', 'commands/uplift.js'].every((file) => existsSync(join(ROOT, 'dist', file)));

const YAML = `experiment:
  name: tastes
  variants: [{ name: control }, { name: varied, diversity: 0.9 }]
exploration: { log: true }
learning: { enabled: false }
quality: { arms: false }
`;

/** 40 items, each with one of three colours. */
function coloured(): Catalogue {
  const tokenNames = ['', 'colour=red', 'colour=green', 'colour=blue'];
  const tokens = Int32Array.from({ length: 41 }, (_, item) => (item === 0 ? 0 : 1 + Math.floor(item / 14)));
  const none = { numbers: new Float32Array(0), numberNames: [] };
  return { ...catalogue(5, 40), itemFeatures: { rows: 41, width: 1, tokens, tokenNames, ...none } };
}

describe('recsys uplift', { skip: built ? false : 'not built (npm run build)' }, () => {
  let dir = '';
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'recsys-uplift-'));
    await writeTinyCheckpoint(join(dir, 'model'), 1, {}, { known: coloured() });
    await writeFile(join(dir, 'serve.yaml'), YAML);
  });
  after(() => rm(dir, { recursive: true, force: true }));

  test('lists in two ways, what came of them, and which earned more', async () => {
    const first = await startService(dir, join(dir, 'state'), ['--config', 'serve.yaml']);
    const client = new RecsysClient({ url: first.url });
    const variants = new Map<string, string>();
    const lists = new Map<string, Set<string>>();
    for (let n = 0; n < 120; n++) {
      const user = `u${n}`;
      const event = { user, item: 'i1', behaviour: 'view' };
      await client.event({ ...event, id: `h${n}` });
      const list = await client.recommendations(user, { k: 4 });
      const variant = list.variant!;
      variants.set(user, variant);
      lists.set(variant, (lists.get(variant) ?? new Set()).add(list.items.map(({ item }) => item).join(' ')));
      // Half of the control's users buy something of their list, and three quarters of the others'.
      if (n % 4 < (variant === 'control' ? 2 : 3)) {
        const { item } = list.items[0]!;
        await client.event({ id: `b${n}`, user, item, behaviour: 'buy', requestId: list.requestId });
      }
    }
    const again = await client.recommendations('u5', { k: 4 });
    assert.equal(again.variant, variants.get('u5'), 'a user keeps the variant');
    const session = await client.recommend({ history: ['i1'], k: 4 });
    assert.equal(session.variant, undefined, 'a session without a user is in none');
    // All have the same history: there is one list a variant, and diversity makes it another.
    assert.deepEqual(
      [...lists.values()].map(({ size }) => size),
      [1, 1],
    );
    assert.notDeepEqual(lists.get('control'), lists.get('varied'));
    const metrics = await client.metrics();
    const control = [...variants.values()].filter((one) => one === 'control').length;
    const counted = control + (again.variant === 'control' ? 1 : 0);
    assert.match(
      metrics,
      new RegExp(`^recsys_experiment_lists_total\\{variant="control"\\} ${counted}$`, 'm'),
    );
    first.child.kill('SIGTERM');
    assert.equal((await first.ended).code, 0);
    client.close();

    const out = await recsys(['impressions', 'state', '--out', 'impressions.jsonl'], dir);
    assert.equal(out.code, 0, out.stderr);
    const logged = (await readFile(join(dir, 'impressions.jsonl'), 'utf8')).trim().split('\n');
    for (const line of logged) {
      const { user, variant, reranked } = JSON.parse(line);
      assert.equal(variant?.name, user && variants.get(user));
      if (variant) assert.deepEqual([variant.experiment, variant.share], ['tastes', 0.5]);
      assert.equal(reranked, variant?.name === 'varied' ? true : undefined);
    }

    const asked = ['uplift', '--log', 'impressions.jsonl', '--behaviour', 'buy'];
    const json = await recsys([...asked, '--json'], dir);
    assert.equal(json.code, 0, json.stderr);
    const found = JSON.parse(json.stdout);
    assert.deepEqual(
      [found.experiment, found.control, found.outside, found.switched],
      ['tastes', 'control', 1, 0],
    );
    const [base, varied] = found.variants;
    assert.deepEqual([base.users, varied.users], [control, 120 - control]);
    const bought = (variant: string, of: number): number =>
      [...variants].filter(([user, own]) => own === variant && Number(user.slice(1)) % 4 < of).length;
    assert.equal(base.perUser.mean, bought('control', 2) / control);
    assert.equal(varied.perUser.mean, bought('varied', 3) / (120 - control));
    assert.equal(varied.uplift.perUser.mean, varied.perUser.mean / base.perUser.mean - 1);
    assert(found.sampleRatio.p > 0.001);

    const text = await recsys(asked, dir);
    assert.match(text.stdout, /tastes: successes, with 95 % intervals/);
    assert.match(text.stdout, /varied +50\.0 % +\d+ +\d+ .*\+\d+\.\d % \[/);
    assert.match(text.stdout, /1 lists of no variant are left out/);
  });

  test('where users of a variant are missing it says so; what is wrong is named', async () => {
    const line = (n: number, name: string): string =>
      JSON.stringify({
        user: `u${n}`,
        items: [{ item: 'a' }],
        variant: { experiment: 'x', name, share: 0.5 },
      });
    const lines = Array.from({ length: 300 }, (_, n) => line(n, n % 3 === 0 ? 'new' : 'control'));
    await writeFile(join(dir, 'few.jsonl'), `${lines.join('\n')}\n`);
    const args = ['uplift', '--log', 'few.jsonl'];
    const found = await recsys(args, dir);
    assert.equal(found.code, 0, found.stderr);
    assert.match(found.stderr, /users did not come to variants as they were dealt/);
    await refused(
      2,
      /“old” has no list in the log[\s\S]*control, new/,
      recsys([...args, '--control', 'old'], dir),
    );
    await refused(3, /no list of “y”/, recsys([...args, '--experiment', 'y'], dir));
    await writeFile(
      join(dir, 'bad.yaml'),
      'experiment: { name: x, variants: [{ name: a }, { name: b, adapter: c }] }\n',
    );
    const serving = ['serve-online', '--model', 'model', '--state', 'other', '--config', 'bad.yaml'];
    await refused(2, /experiment\.variants\.1\.adapter: “c” is none of `adapters`/, recsys(serving, dir));
  });
});
