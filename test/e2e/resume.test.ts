import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BINARY = join(ROOT, 'bin/recsys.js');
const built = existsSync(join(ROOT, 'dist/main.js'));

const SETTINGS = `
model: { name: transformer, width: 8, depth: 1, heads: 1, length: 8, dropout: 0.2 }
epochs: 30
batchSize: 8
snapshotSteps: 3
validation: { patience: 0 }
seed: 7
`;

/** A run killed at any moment and resumed ends with the very bytes of one that was never stopped. */
describe('kill -9 and --resume', { skip: built ? false : 'not built (npm run build)' }, () => {
  let cwd = '';
  const start = (args: readonly string[]) => {
    const child = spawn(process.execPath, [BINARY, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk) => (stderr += chunk));
    const ended = new Promise<{ code: number | null; stderr: string }>((done) =>
      child.on('close', (code) => done({ code, stderr })),
    );
    return { child, ended };
  };
  const run = async (args: readonly string[]) => {
    const { code, stderr } = await start(args).ended;
    assert.equal(code, 0, stderr);
  };
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'recsys-resume-'));
    const rows = ['user,item,time'];
    for (let user = 1; user <= 60; user++) {
      for (let n = 0; n < 10; n++) rows.push(`u${user},i${1 + ((user * 7 + n * n) % 25)},${1000 * user + n}`);
    }
    await writeFile(join(cwd, 'log.csv'), `${rows.join('\n')}\n`);
    const columns = 'columns: { user: user, item: item, time: time }';
    const source = `interactions: { path: log.csv, ${columns} }\nsplit: { kind: leave-last-out }\n`;
    await writeFile(join(cwd, 'prepare.yaml'), source);
    await writeFile(join(cwd, 'pretrain.yaml'), SETTINGS);
    await run(['prepare', '--config', 'prepare.yaml', '--out', 'dataset']);
  });
  after(() => rm(cwd, { recursive: true, force: true }));

  for (const backend of ['wasm', 'cpu']) {
    test(`${backend}: final tensors are equal bit for bit`, async () => {
      const pretrain = (out: string): string[] => [
        'pretrain',
        '--config',
        'pretrain.yaml',
        '--data',
        'dataset',
        '--backend',
        backend,
        '--out',
        out,
      ];
      await run(pretrain(`whole-${backend}`));
      const killed = `killed-${backend}`;
      const { child, ended } = start(pretrain(killed));
      const reached = async (): Promise<boolean> => {
        const names = await readdir(join(cwd, `${killed}.partial`)).catch(() => []);
        return names.some((name) => Number(/^snapshot\.(\d+)$/.exec(name)?.[1] ?? 0) >= 4);
      };
      while (child.exitCode === null && !(await reached())) await sleep(2);
      child.kill('SIGKILL');
      await ended;
      assert.ok(!existsSync(join(cwd, killed)), 'the run was killed before its end');
      await run([...pretrain(killed), '--resume']);
      for (const name of [
        'model.safetensors',
        'last.safetensors',
        'optimizer.safetensors',
        'metrics.jsonl',
      ]) {
        const [whole, resumed] = await Promise.all(
          [`whole-${backend}`, killed].map((dir) => readFile(join(cwd, dir, name))),
        );
        assert.ok(whole!.equals(resumed!), `${name} differs`);
      }
    });
  }
});
