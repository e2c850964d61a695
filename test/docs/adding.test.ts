import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type Block, blocksOf } from './blocks.js';
import { ROOT } from './formulas.js';

const PAGE = 'docs/adding-a-model.md';
const BLOCKS = blocksOf(PAGE);
const tree = mkdtempSync(join(tmpdir(), 'recsys-adding-'));
after(() => rmSync(tree, { recursive: true, force: true }));

const where = ({ file, line }: Block): string => `${file}:${line}`;

function write(path: string, text: string): void {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), text);
}

/** Applies a `diff` block: the file's name, then hunks between `---`, each of which must fit one place of the file. */
function applyDiff(block: Block): string {
  const [name, ...lines] = block.text.trimEnd().split('\n');
  let text = readFileSync(join(tree, name!), 'utf8');
  for (const hunk of lines.join('\n').split('\n---\n')) {
    const side = (leaveOut: string): string =>
      hunk
        .split('\n')
        .filter((line) => !line.startsWith(leaveOut))
        .map((line) => `${line.slice(1)}\n`)
        .join('');
    const parts = text.split(side('+'));
    assert.equal(
      parts.length,
      2,
      `${where(block)}: this part fits ${parts.length - 1} places of ${name}:\n${hunk}`,
    );
    text = parts.join(side('-'));
  }
  write(name!, text);
  return name!;
}

/** A copy of the project with all that the page adds to it. Gives the files written. */
function grow(): string[] {
  for (const name of [
    'src',
    'test',
    'bench',
    'configs',
    'package.json',
    'biome.json',
    'tsconfig.json',
    'tsconfig.test.json',
  ]) {
    cpSync(join(ROOT, name), join(tree, name), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
  const written: string[] = [];
  for (const block of BLOCKS) {
    const named = /^(?:\/\/|#) (\S+\/?\S*\.(?:ts|yaml))\n/.exec(block.text);
    if (block.language === 'diff') written.push(applyDiff(block));
    else if (named) {
      write(named[1]!, block.text.slice(named[0].length));
      written.push(named[1]!);
    }
  }
  return written;
}

/** Runs Node in the tree; fails with what it said where it fails. */
async function node(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { NODE_TEST_CONTEXT: _, ...outer } = process.env;
  const child = spawn(process.execPath, args, {
    cwd: tree,
    env: { ...outer, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(code, 0, `node ${args.join(' ')}\n${said.slice(-6000)}`);
  return stdout;
}

const recsys = (...args: string[]): Promise<string> =>
  node(['--import', 'tsx', 'src/main.ts', ...args, '--quiet'], { RECSYS_BACKEND: 'wasm' });

const CONTRACTS = `
import { OPTIMIZERS } from '../src/compute/optimizers/index.js';
import { modelSchema } from '../src/model/registry.js';
import { onBackend } from './suites/backends.js';
import { modelContract } from './suites/model.js';
import { optimizerContract } from './suites/optimizer.js';

onBackend('cpu', 'contracts', () => {
  const config = modelSchema.parse({ width: 8, length: 5, name: 'recent-mean' });
  modelContract('cpu', { label: 'recent-mean', config, readsHistory: true, readsUser: false });
  optimizerContract('rmsprop', { create: OPTIMIZERS.rmsprop, expected: [0.683772254, 0.9694865315, 0.9694865315] });
});
`;

/** An access log in which users walk through items, with requests of other things in between. */
function accessLog(): string {
  const lines: string[] = [];
  for (let user = 1; user <= 40; user++) {
    for (let n = 0; n < 8; n++) {
      const at = `[${String(10 + n)}/Oct/2025:13:${String(user).padStart(2, '0')}:36 +0200]`;
      const agent = `127.0.0.1 - user${user} ${at}`;
      lines.push(`${agent} "GET /items/thing-${(user + 4 * n) % 15}?from=search HTTP/1.1" 200 512`);
      if (n % 3 === 0) lines.push(`${agent} "GET /style.css HTTP/1.1" 200 99`);
    }
  }
  return `${lines.join('\n')}\n`;
}

describe(PAGE, () => {
  const written = grow();

  test('has a block for everything it promises', () => {
    for (const file of [
      'src/model/models/recent-mean.ts',
      'src/model/registry.ts',
      'test/model/models.test.ts',
      'src/model/losses/bpr.ts',
      'src/compute/optimizers/rmsprop.ts',
      'src/data/readers/access-log.ts',
      'src/evaluation/baselines/markov.ts',
      'access.yaml',
    ])
      assert.ok(written.includes(file), file);
  });

  test('its code has the right types and form', async () => {
    const code = written.filter((file) => file.endsWith('.ts'));
    write(
      'tsconfig.added.json',
      JSON.stringify({ extends: './tsconfig.test.json', include: [], files: code }),
    );
    await node(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.added.json']);
    await node(['node_modules/@biomejs/biome/bin/biome', 'check', ...code]);
  });

  test('its model and optimizer keep the contracts', async () => {
    write('test/added.test.ts', CONTRACTS);
    const report = await node(['--import', 'tsx', '--test', '--test-reporter=tap', 'test/added.test.ts']);
    assert.match(report, /gradient of bpr \(next-item\) equals finite differences/);
    assert.match(report, /^# fail 0$/m);
  });

  test('the whole road with its reader, model, loss, optimizer and baseline', async () => {
    write('access.log', accessLog());
    const prepared = await recsys('prepare', '-c', 'access.yaml', '--out', 'dataset', '--json');
    const { metrics } = JSON.parse(prepared) as { metrics: Record<string, number> };
    assert.deepEqual([metrics.interactions, metrics.rejected], [320, 120]);
    const use = BLOCKS.find(({ text }) => text.startsWith('model:\n  name: recent-mean'));
    write('use.yaml', use!.text);
    const more = ['--set', 'loss=bpr', '--set', 'optimizer.name=rmsprop', '--set', 'epochs=2'];
    await recsys('pretrain', '-c', 'use.yaml', '--data', 'dataset', '--out', 'teacher', ...more);
    const compared = await recsys(
      'evaluate',
      '--data',
      'dataset',
      '--model',
      'teacher',
      '--out',
      'evaluation',
      '--json',
    );
    const { rows } = JSON.parse(compared) as { rows: { name: string; metrics: Record<string, number> }[] };
    const byName = new Map(rows.map((row) => [row.name, row.metrics['ndcg@10']!]));
    assert.ok(byName.get('teacher')! > 0);
    assert.ok(byName.get('markov')! > byName.get('popularity')!, 'the log’s next item follows from the last');
  });
});
