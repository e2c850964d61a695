import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Journal } from '../../src/online/journal.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BINARY = join(ROOT, 'bin/recsys.js');
const built = existsSync(join(ROOT, 'dist/main.js')) && existsSync(join(ROOT, 'dist/commands/journal.js'));

function recsys(cwd: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BINARY, ...args], {
    cwd,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

const YAML = `interactions:
  path: events.jsonl
  columns: { user: user, item: item, time: time, behaviour: behaviour, value: value }
  timeFormat: epoch-ms
behaviours: { view: { name: view }, buy: { name: buy } }
cleaning: { core: { user: 1, item: 1 } }
split: { kind: leave-last-out }
`;

describe('recsys journal', { skip: built ? false : 'not built (npm run build)' }, () => {
  let dir = '';
  const segment = () => join(dir, 'state/journal/journal-000000000001.log');
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'recsys-journal-'));
    const journal = await Journal.open(join(dir, 'state/journal'), { segmentBytes: 1 << 20 });
    for (let n = 0; n < 60; n++)
      await journal.append([
        {
          type: 'event',
          id: `e${n}`,
          user: `u${n % 5}`,
          item: `i${(n * 7) % 12}`,
          behaviour: n % 4 ? 'view' : 'buy',
          time: 1_700_000_000_000 + 60_000 * n,
          value: n % 3,
        },
        { type: 'learn', through: 2 * n + 1 },
      ]);
    // What became of events may be said later, and of several at once; of the last one nothing is known.
    await journal.append([{ type: 'outcome', through: 3 }]);
    await journal.append([
      { type: 'outcome', through: 117, skipped: { 'weight 0': [7], 'unknown item': [5] } },
    ]);
    await journal.close();
  });
  after(() => rm(dir, { recursive: true, force: true }));

  test('check, export, and prepare on what was exported', async () => {
    const told = recsys(dir, 'journal', 'check', 'state');
    assert.equal(told.status, 0, told.stderr);
    assert.match(told.stdout, /journal-000000000001\.log +1–122 +122 +\d+ +whole/);
    assert.match(told.stdout, /122 records, 1 to 122/);
    const out = recsys(dir, 'journal', 'export', 'state', '--out', 'events.jsonl', '--json');
    assert.equal(out.status, 0, out.stderr);
    assert.equal(JSON.parse(out.stdout).metrics.events, 60);
    const lines = (await readFile(join(dir, 'events.jsonl'), 'utf8')).trim().split('\n');
    assert.deepEqual(JSON.parse(lines[1]!), {
      seq: 3,
      id: 'e1',
      user: 'u1',
      item: 'i7',
      behaviour: 'view',
      time: 1_700_000_060_000,
      value: 1,
      disposition: 'learned',
    });
    const said = (n: number) => {
      const { disposition, reason } = JSON.parse(lines[n]!);
      return [disposition, reason];
    };
    assert.deepEqual(said(2), ['skipped', 'unknown item']);
    assert.deepEqual(said(3), ['skipped', 'weight 0']);
    assert.deepEqual(said(58), ['learned', undefined]);
    assert.deepEqual(said(59), [undefined, undefined]);
    await writeFile(join(dir, 'prepare.yaml'), YAML);
    const prepared = recsys(dir, 'prepare', '-c', 'prepare.yaml', '--out', 'dataset', '--json');
    assert.equal(prepared.status, 0, prepared.stderr);
    assert.match(prepared.stdout, /60/);
  });

  test('damage has exit code 3, names file and offset, and is repaired only when asked', async () => {
    const bytes = await readFile(segment());
    bytes[30]! ^= 1;
    await writeFile(segment(), bytes);
    for (const action of ['check', 'repair', 'export']) {
      const refused = recsys(dir, 'journal', action, 'state', '--out', 'other.jsonl');
      assert.deepEqual([refused.status, refused.stdout], [3, ''], refused.stderr);
      assert.match(refused.stderr, /journal-000000000001\.log: .*offset 0 is damaged/);
    }
    const repaired = recsys(dir, 'journal', 'repair', 'state', '--set-aside');
    assert.equal(repaired.status, 0, repaired.stderr);
    assert.match(repaired.stdout, /120 records kept, 2 lost/);
    assert.equal(recsys(dir, 'journal', 'check', 'state').status, 0);
    const nowhere = recsys(dir, 'journal', 'check', 'elsewhere');
    assert.equal(nowhere.status, 3, nowhere.stderr);
    assert.match(nowhere.stderr, /there is no journal/);
  });

  test('the log of lists served is checked and repaired alike; what stands for lists is passed over', async () => {
    const log = await Journal.open(join(dir, 'state/impressions'), { segmentBytes: 1 << 20 });
    const list = { type: 'impression', time: 1, modelVersion: 'v', policy: 'none', items: [], history: [] };
    for (const requestId of ['a', 'b', 'c']) await log.append([{ ...list, requestId }]);
    await log.append([{ type: 'erased' }]);
    await log.close();
    const on = (action: string, ...more: string[]) =>
      recsys(dir, 'journal', action, 'state', '--impressions', ...more);
    assert.match(on('check').stdout, /4 records, 1 to 4/);
    const file = join(dir, 'state/impressions/journal-000000000001.log');
    const bytes = await readFile(file);
    bytes[bytes.indexOf('"b"') + 1]! ^= 1;
    await writeFile(file, bytes);
    const refused = on('check');
    assert.equal(refused.status, 3);
    assert.match(refused.stderr, /repair <state> --set-aside --impressions/);
    assert.match(on('repair', '--set-aside').stdout, /3 records kept, 1 lost/);
    const out = recsys(dir, 'impressions', 'state', '--out', 'lists.jsonl', '--json');
    assert.equal(out.status, 0, out.stderr);
    assert.equal(JSON.parse(out.stdout).metrics.impressions, 2);
    const exported = on('export');
    assert.equal(exported.status, 2);
    assert.match(exported.stderr, /recsys impressions <state>/);
    assert.match(recsys(dir, 'journal', 'check', 'elsewhere', '--impressions').stderr, /exploration\.log/);
  });
});
