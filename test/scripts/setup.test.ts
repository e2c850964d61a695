import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const SCRIPTS = fileURLToPath(new URL('../../scripts', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'recsys-setup-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** Stands for tsc: copies src/*.ts to the output folder as .js; a file that says `type error` fails. */
const TSC = `
const { cpSync, mkdirSync, readFileSync, readdirSync } = require('node:fs');
const { dirname, join } = require('node:path');
const out = process.argv[process.argv.indexOf('--outDir') + 1];
for (const file of readdirSync('src', { recursive: true })) {
  if (!file.endsWith('.ts')) continue;
  if (readFileSync(join('src', file), 'utf8').includes('type error')) { console.log(file + ': type error'); process.exit(2); }
  mkdirSync(dirname(join(out, file)), { recursive: true });
  cpSync(join('src', file), join(out, file.replace(/ts$/, 'js')));
}
`;

/** Stands for npm: notes the call, and leaves what \`npm ci\` leaves. */
const NPM = `#!/bin/sh
echo "$1" >> calls
[ -e npm-fails ] && { echo "no registry" >&2; exit 1; }
mkdir -p node_modules/typescript/bin
echo '{}' > node_modules/.package-lock.json
cp tsc.cjs node_modules/typescript/bin/tsc
`;

let project = '';
let count = 0;

function write(path: string, text: string): void {
  const file = join(project, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** Run the set-up script of the project under test. */
function setup(env: NodeJS.ProcessEnv = {}) {
  const { status, stderr } = spawnSync(process.execPath, [join(project, 'scripts', 'setup.mjs')], {
    cwd: project,
    encoding: 'utf8',
    env: { PATH: `${join(project, 'bin')}:/usr/bin:/bin`, ...env },
  });
  return { status, lines: stderr.split('\n').filter(Boolean) };
}

const calls = () => (existsSync(join(project, 'calls')) ? readFileSync(join(project, 'calls'), 'utf8') : '');

describe('set-up', { skip: process.platform === 'win32' ? 'needs a shell' : false }, () => {
  beforeEach(() => {
    project = join(scratch, String(count++));
    mkdirSync(project);
    cpSync(SCRIPTS, join(project, 'scripts'), { recursive: true });
    write('package.json', '{"type":"module"}');
    write('package-lock.json', '{}');
    write('tsconfig.json', '{}');
    write('tsc.cjs', TSC);
    write('bin/npm', NPM);
    chmodSync(join(project, 'bin', 'npm'), 0o755);
    write('src/main.ts', 'export {};');
    write('src/report/style.css', 'a {}');
    write('src/compute/native/cache.ts', 'export const activeInstall = () => ({ record: {} });');
  });

  test('does everything the first time and nothing the second', () => {
    const first = setup();
    assert.equal(first.status, 0, first.lines.join('\n'));
    assert.equal(first.lines.length, 3);
    assert.match(first.lines.join('\n'), /npm ci\n.*packages are installed.*\n.*built dist/);
    assert.equal(calls(), 'ci\n');
    assert.ok(existsSync(join(project, 'dist', 'main.js')));
    assert.ok(existsSync(join(project, 'dist', 'report', 'style.css')));
    assert.ok(!existsSync(join(project, 'dist.partial')));

    assert.deepEqual(setup(), { status: 0, lines: [] });
    assert.equal(calls(), 'ci\n');
  });

  test('a changed source is rebuilt, a removed one leaves dist; packages stay', () => {
    write('src/old.ts', 'export {};');
    setup();
    rmSync(join(project, 'src', 'old.ts'));
    write('src/new.ts', 'export {};');
    assert.match(setup().lines.join(), /^setup: built dist/);
    assert.ok(existsSync(join(project, 'dist', 'new.js')));
    assert.ok(!existsSync(join(project, 'dist', 'old.js')));
    assert.equal(calls(), 'ci\n');
  });

  test('a changed lockfile installs again', () => {
    setup();
    write('package-lock.json', '{"changed":true}');
    assert.equal(setup().status, 0);
    assert.equal(calls(), 'ci\nci\n');
  });

  test('a failing build stops it and leaves the previous dist', () => {
    setup();
    write('src/main.ts', 'type error');
    const { status, lines } = setup();
    assert.equal(status, 1);
    assert.match(lines.join('\n'), /main\.ts: type error\n.*the build failed/);
    assert.equal(readFileSync(join(project, 'dist', 'main.js'), 'utf8'), 'export {};');
  });

  test('failing packages stop it with the reason', () => {
    write('npm-fails', '');
    const { status, lines } = setup();
    assert.equal(status, 1);
    assert.match(lines.join('\n'), /no registry\n.*npm ci failed/);
  });

  test('a native install that fails is one line, stops nothing, and is not tried again at once', () => {
    write('src/compute/native/cache.ts', 'export const activeInstall = () => undefined;');
    const failing = `import { appendFileSync } from 'node:fs';
      export async function installNative() {
        appendFileSync('calls', 'native\\n');
        throw Object.assign(new Error('no compiler'), { remedy: 'Install g++.' });
      }`;
    write('src/compute/native/install.ts', failing);
    const first = setup();
    assert.equal(first.status, 0);
    assert.match(
      first.lines.at(-1) ?? '',
      /the wasm backend is used; .*not installed: no compiler\. Install g\+\+\.$/,
    );
    assert.equal(calls(), 'ci\nnative\n');

    const second = setup();
    assert.equal(second.status, 0);
    assert.equal(second.lines.length, 1);
    assert.match(second.lines[0] ?? '', /no compiler/);
    assert.equal(calls(), 'ci\nnative\n');
    assert.deepEqual(setup({ RECSYS_NATIVE: 'off' }), { status: 0, lines: [] });
  });
});
