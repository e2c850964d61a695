import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { blocksOf, PAGES } from './blocks.js';
import { ROOT } from './formulas.js';

const reason = (): string | false => {
  if (process.platform === 'win32') return 'needs bash';
  if (!existsSync(join(ROOT, 'dist/main.js'))) return 'not built (npm run build)';
  return false;
};

/** The folder the blocks are pasted in: the project as it is after a quickstart, with fewer users. */
const folder = mkdtempSync(join(tmpdir(), 'recsys-docs-'));
after(() => rmSync(folder, { recursive: true, force: true }));

async function bash(script: string): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: folder,
    env: { ...env, RECSYS_BACKEND: 'wasm' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      said[stream] += text;
    });
  }
  const code = await new Promise((resolve) => child.once('close', resolve));
  return { code, ...said };
}

describe('blocks marked <!-- test -->, pasted into bash', { skip: reason() }, () => {
  before(async () => {
    for (const name of ['bin', 'configs']) symlinkSync(join(ROOT, name), join(folder, name));
    const made = await bash(
      'mkdir -p runs/quickstart && ' +
        'node bin/recsys.js generate -q -c configs/quickstart/generate.yaml --users 30 --set brands=2 --out runs/quickstart/raw && ' +
        'node bin/recsys.js prepare -q -c configs/quickstart/prepare.yaml --raw runs/quickstart/raw --out runs/quickstart/dataset',
    );
    assert.equal(made.code, 0, made.stderr);
  });

  for (const file of PAGES) {
    const blocks = blocksOf(file).filter(({ runs }) => runs);
    if (blocks.length === 0) continue;
    test(file, async () => {
      for (const { language, line } of blocks) assert.equal(language, 'bash', `${file}:${line}`);
      const { code, stdout, stderr } = await bash(blocks.map(({ text }) => text).join('\n'));
      assert.equal(code, 0, `${stdout}\n${stderr}`);
      if (file === 'README.md') {
        assert.ok(stdout.startsWith(`${join(folder, 'runs/by-paths/tuned')}\n`), stdout);
        for (const way of ['by-paths', 'by-pipe']) {
          const manifest = JSON.parse(readFileSync(join(folder, 'runs', way, 'tuned/manifest.json'), 'utf8'));
          assert.deepEqual(
            manifest.lineage.map(({ stage }: { stage: string }) => stage),
            ['pretrain', 'distill'],
          );
        }
        for (const name of ['popularity', 'ease', 'tuned', 'teacher'])
          assert.match(stdout, new RegExp(`^${name} .*\\[`, 'm'), 'the tables hold models and baselines');
        assert.match(readFileSync(join(folder, 'runs/shop/lists.csv'), 'utf8'), /^user,rank,item/);
      }
    });
  }
});
