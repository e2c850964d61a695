import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { ROOT } from '../suites/binary.js';

const run = promisify(execFile);
const built = existsSync(join(ROOT, 'dist/client/index.d.ts'));

/** The example of docs/operating.md, with an address where nobody is. */
const example = (): string =>
  /```ts\n([\s\S]*?)```/
    .exec(readFileSync(join(ROOT, 'docs/operating.md'), 'utf8'))![1]!
    .replace('http://127.0.0.1:8080', 'http://127.0.0.1:1')
    .replace('patience: 30_000', 'patience: 0');

describe('recsys/client, as another program imports it', {
  skip: built ? false : 'not built (npm run build)',
}, () => {
  let dir = '';
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'recsys-client-'));
    await mkdir(join(dir, 'node_modules'));
    await symlink(ROOT, join(dir, 'node_modules/recsys'));
    await writeFile(join(dir, 'package.json'), '{"type": "module"}');
  });
  after(() => rm(dir, { recursive: true, force: true }));

  const check = (file: string) => {
    const flags = [
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--noEmit',
      '--skipLibCheck',
      'false',
    ];
    const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types'), '--ignoreConfig'];
    return run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), ...flags, ...types, file], {
      cwd: dir,
    }).then(
      () => '',
      (error: { stdout: string }) => error.stdout,
    );
  };

  test('the example has types that hold, and runs', async () => {
    await writeFile(join(dir, 'example.ts'), example());
    assert.equal(await check('example.ts'), '');
    await writeFile(join(dir, 'wrong.ts'), example().replace("item: 'i7'", 'film: 7'));
    assert.match(await check('wrong.ts'), /'film' does not exist/);
    await writeFile(join(dir, 'example.mjs'), example());
    const failed = await run(process.execPath, ['example.mjs'], { cwd: dir }).catch((error) => error);
    assert.match(failed.stderr, /ServiceError: http:\/\/127\.0\.0\.1:1 cannot be reached/);
  });

  test('what else of the package has a path is reached as before', async () => {
    const names = [
      'package.json',
      'bin/recsys.js',
      'configs/quickstart/pipeline.yaml',
      'docs/cli.md',
      'dist/main.js',
    ];
    const script = names.map((name) => `import.meta.resolve('recsys/${name}');`).join('\n');
    await writeFile(join(dir, 'paths.mjs'), script);
    await run(process.execPath, ['paths.mjs'], { cwd: dir });
    const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    for (const folder of ['bin', 'dist', 'configs', 'docs']) assert(files.includes(folder), folder);
  });
});
