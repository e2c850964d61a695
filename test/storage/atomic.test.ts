import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RecsysError } from '../../src/errors.js';
import { withOutputDirectory, writeFileAtomic } from '../../src/storage/atomic.js';
import { diskError } from '../../src/storage/disk.js';
import { failingAt } from '../../src/storage/failpoints.js';
import { saveSnapshot } from '../../src/storage/snapshot.js';
import { writeTensorFile } from '../../src/storage/tensor-file.js';
import { temporary, tinyTensors } from './fixtures.js';

const plain = { force: false, resume: false };
const resume = { force: false, resume: true };
const force = { force: true, resume: false };
const version = (dir: string) => readFile(join(dir, 'manifest.json'), 'utf8');
const write = (text: string) => (partial: string) => writeFile(join(partial, 'manifest.json'), text);

test('the output appears whole, and nothing else is left', async (t) => {
  const dir = await temporary(t);
  const out = join(dir, 'deep', 'out');
  const result = await withOutputDirectory(out, plain, async (partial, resumed) => {
    assert.equal(partial, `${out}.partial`);
    assert.equal(resumed, false);
    assert.ok(!existsSync(out));
    await mkdir(join(partial, 'sub'));
    await writeFile(join(partial, 'sub', 'file'), 'x');
    await write('1')(partial);
    return 17;
  });
  assert.equal(result, 17);
  assert.deepEqual(await readdir(join(dir, 'deep')), ['out']);
  assert.equal(await version(out), '1');
});

test('a throw leaves nothing', async (t) => {
  const dir = await temporary(t);
  const failure = new TypeError('a bug');
  await assert.rejects(
    withOutputDirectory(join(dir, 'out'), plain, async (partial) => {
      await write('half')(partial);
      throw failure;
    }),
    failure,
  );
  assert.deepEqual(await readdir(dir), []);
});

test('an interruption keeps the snapshot, which --resume continues and --force discards', async (t) => {
  const dir = await temporary(t);
  const out = join(dir, 'out');
  const interrupted = withOutputDirectory(out, plain, async (partial) => {
    await saveSnapshot(partial, { tensors: new Map(), optimizer: new Map(), progress: { epoch: 3 } });
    throw new RecsysError('INTERRUPTED', 'stopped');
  });
  await assert.rejects(interrupted, {
    code: 'INTERRUPTED',
    exitCode: 130,
    remedy: 'Continue with --resume.',
  });
  assert.deepEqual(await readdir(dir), ['out.partial']);
  await assert.rejects(withOutputDirectory(out, plain, write('2')), {
    code: 'OUTPUT_EXISTS',
    remedy: /--resume/,
  });
  await withOutputDirectory(out, resume, async (partial, resumed) => {
    assert.equal(resumed, true);
    assert.ok(existsSync(join(partial, 'snapshot.1', 'progress.json')));
    await write('2')(partial);
  });
  assert.deepEqual(
    (await readdir(out)).sort(),
    ['.recsys', 'manifest.json'],
    'snapshots do not reach the output',
  );
});

test('an interruption before anything can be resumed leaves nothing', async (t) => {
  const dir = await temporary(t);
  const stopped = withOutputDirectory(join(dir, 'out'), plain, async () => {
    throw new RecsysError('INTERRUPTED', 'stopped');
  });
  await assert.rejects(stopped, { code: 'INTERRUPTED', remedy: 'Run it again.' });
  assert.deepEqual(await readdir(dir), []);
});

test('resume with nothing to continue starts afresh', async (t) => {
  const dir = await temporary(t);
  const out = join(dir, 'out');
  await mkdir(`${out}.partial`);
  await writeFile(join(`${out}.partial`, 'junk'), '');
  await withOutputDirectory(out, resume, async (partial, resumed) => {
    assert.equal(resumed, false);
    assert.deepEqual(await readdir(partial), []);
    await write('1')(partial);
  });
});

test('an existing output is refused before any work, and replaced with force', async (t) => {
  const dir = await temporary(t);
  const out = join(dir, 'out');
  await withOutputDirectory(out, plain, write('1'));
  await assert.rejects(
    withOutputDirectory(out, plain, async () => assert.fail('worked')),
    { code: 'OUTPUT_EXISTS', exitCode: 2 },
  );
  await withOutputDirectory(out, force, async (partial) => {
    assert.equal(await version(out), '1');
    await write('2')(partial);
  });
  assert.equal(await version(out), '2');
  assert.deepEqual(await readdir(dir), ['out']);
  await assert.rejects(
    withOutputDirectory(out, force, async () => {
      throw new Error('no');
    }),
  );
  assert.equal(await version(out), '2', 'a failed replacement leaves the old output');
  assert.deepEqual(await readdir(dir), ['out']);
});

test('force replaces only what recsys wrote; an empty directory needs none', async (t) => {
  const dir = await temporary(t);
  const photos = join(dir, 'photos');
  await mkdir(photos);
  await withOutputDirectory(photos, plain, write('1'));
  const home = join(dir, 'home');
  await mkdir(home);
  await writeFile(join(home, 'thesis.txt'), 'years of work');
  await assert.rejects(withOutputDirectory(home, force, write('1')), {
    code: 'OUTPUT_EXISTS',
    message: /does not look like/,
  });
  await assert.rejects(withOutputDirectory(join(home, 'thesis.txt'), force, write('1')), {
    code: 'OUTPUT_EXISTS',
    message: /is a file/,
  });
  assert.equal(await readFile(join(home, 'thesis.txt'), 'utf8'), 'years of work');
});

test('a run killed between the two renames of a replacement loses nothing', async (t) => {
  const dir = await temporary(t);
  const out = join(dir, 'out');
  await withOutputDirectory(out, plain, write('1'));
  await rename(out, `${out}.replaced`);
  await assert.rejects(withOutputDirectory(out, plain, write('2')), { code: 'OUTPUT_EXISTS' });
  assert.equal(await version(out), '1', 'put back');
  await mkdir(`${out}.replaced`);
  await write('0')(`${out}.replaced`);
  await writeFile(join(`${out}.replaced`, '.recsys'), '');
  await withOutputDirectory(out, force, write('3'));
  assert.deepEqual(await readdir(dir), ['out']);
});

test('a run killed while it removes what it replaced leaves what the next one takes for its own', async (t) => {
  const dir = await temporary(t);
  const out = join(dir, 'out');
  await withOutputDirectory(out, plain, async (partial) => {
    for (const name of ['a', 'b', 'manifest.json', 'z']) await writeFile(join(partial, name), '{}');
  });
  const program = `
    import { withOutputDirectory } from './src/storage/atomic.ts';
    await withOutputDirectory(${JSON.stringify(out)}, { force: true, resume: false }, async () => {});
  `;
  const args = ['--import', 'tsx', '--input-type=module', '-e', program];
  const env = { ...process.env, ...failingAt('output.removing', 1) };
  const { signal, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
  assert.equal(signal, 'SIGKILL', stderr);
  assert.deepEqual(await readdir(`${out}.replaced`), ['.recsys']);
  await withOutputDirectory(out, force, write('2'));
  assert.deepEqual(await readdir(dir), ['out']);
  assert.equal(await version(out), '2');
});

test('what recsys did not write at <out>.replaced stays there, and only a replacement is refused for it', async (t) => {
  const dir = await temporary(t);
  const out = join(dir, 'out');
  const old = `${out}.replaced`;
  const thesis = join(old, 'thesis.txt');
  await mkdir(old);
  await writeFile(thesis, 'my thesis');
  await withOutputDirectory(out, plain, write('1'));
  const refused = {
    code: 'OUTPUT_EXISTS',
    message: new RegExp(`^${old} is in the way`),
    remedy: /Move or remove/,
  };
  await assert.rejects(
    withOutputDirectory(out, force, async () => assert.fail('worked')),
    refused,
  );
  assert.equal(await readFile(thesis, 'utf8'), 'my thesis');
  assert.equal(await version(out), '1');
  await rm(old, { recursive: true });
  await writeFile(old, '');
  await assert.rejects(withOutputDirectory(out, force, write('2')), refused);
  await rm(old);
  await mkdir(old);
  await withOutputDirectory(out, force, write('2'));
  assert.deepEqual(await readdir(dir), ['out']);
});

test('force leaves a folder alone that merely has a JSON file in it, and a manifest of another kind', async (t) => {
  const dir = await temporary(t);
  const out = join(dir, 'mine');
  await mkdir(out);
  await writeFile(join(out, 'thesis.txt'), 'my thesis');
  for (const [name, text] of [
    ['settings.json', '{}'],
    ['manifest.json', '{"kind": "web app"}'],
  ] as const) {
    await writeFile(join(out, name), text);
    await assert.rejects(withOutputDirectory(out, force, write('1')), { code: 'OUTPUT_EXISTS' });
    assert.ok(existsSync(join(out, 'thesis.txt')));
  }
});

test('a lock is respected while its process lives, and taken over afterwards', async (t) => {
  const dir = await temporary(t);
  const out = join(dir, 'out');
  await withOutputDirectory(out, plain, async (partial) => {
    await write('1')(partial);
    const second = withOutputDirectory(out, plain, write('2'));
    await assert.rejects(second, { code: 'OUTPUT_BUSY', message: new RegExp(`process ${process.pid}`) });
  });
  assert.equal(await version(out), '1');
  const stale = {
    'a dead process': `999999999\n${hostname()}\n\n`,
    'an earlier process with our id': `${process.pid}\n${hostname()}\n1\n`,
    'a process id given to another since': `1\n${hostname()}\n999999999999\n`,
    'a writer that died at once': '',
    garbage: 'garbage',
  };
  for (const [holder, text] of Object.entries(stale)) {
    await writeFile(`${out}.lock`, text);
    await withOutputDirectory(out, force, write(holder));
    assert.equal(await version(out), holder);
  }
  await writeFile(`${out}.lock`, '1\nanother-host\n\n');
  await assert.rejects(withOutputDirectory(out, force, write('2')), {
    code: 'OUTPUT_BUSY',
    message: /on another-host/,
    remedy: /remove .*out\.lock/,
  });
});

test('of many at once exactly one writes', async (t) => {
  const dir = await temporary(t);
  const out = join(dir, 'out');
  await writeFile(`${out}.lock`, `999999999\n${hostname()}\n\n`);
  let writers = 0;
  const all = Array.from({ length: 8 }, () =>
    withOutputDirectory(out, plain, async (partial) => {
      writers++;
      await write('1')(partial);
    }),
  );
  const results = await Promise.allSettled(all);
  assert.equal(writers, 1);
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
  for (const result of results) {
    if (result.status === 'rejected')
      assert.match((result.reason as RecsysError).code, /^OUTPUT_(BUSY|EXISTS)$/);
  }
});

test('an unwritable folder is an error of the disk', {
  skip: process.getuid?.() === 0 ? 'root may write anywhere' : false,
}, async (t) => {
  const dir = await temporary(t);
  await chmod(dir, 0o500);
  await assert.rejects(withOutputDirectory(join(dir, 'out'), plain, write('1')), {
    code: 'DISK',
    exitCode: 5,
    message: /permission denied/,
  });
  await assert.rejects(writeFileAtomic(join(dir, 'file'), ''), { code: 'DISK' });
});

test('system errors of the disk become user errors, others stay', async (t) => {
  const dir = await temporary(t);
  const system = (code: string, path?: string) =>
    Object.assign(new Error(code), { code }, path === undefined ? {} : { path });
  for (const code of ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES']) {
    const failing = withOutputDirectory(join(dir, 'out'), plain, async () => {
      throw system(code);
    });
    await assert.rejects(failing, { code: 'DISK', message: /cannot write .*out: / }, code);
  }
  const elsewhere = system('EACCES', '/etc/input.csv');
  assert.equal(diskError(elsewhere, join(dir, 'out')), elsewhere);
  await writeFile(join(dir, 'file'), '');
  await assert.rejects(withOutputDirectory(join(dir, 'file', 'out'), plain, write('1')), {
    code: 'DISK',
    message: /a file of that name is in the way/,
  });
});

test('a full disk', { skip: existsSync('/dev/full') ? false : 'no /dev/full' }, async (t) => {
  const dir = await temporary(t);
  const full = withOutputDirectory(join(dir, 'out'), plain, async () => {
    await writeTensorFile('/dev/full', tinyTensors);
  });
  await assert.rejects(full, { code: 'DISK', exitCode: 5, message: /no space left/ });
  assert.deepEqual(await readdir(dir), []);
});

test('writeFileAtomic replaces in one step', async (t) => {
  const dir = await temporary(t);
  await writeFileAtomic(join(dir, 'f'), 'one');
  await writeFileAtomic(join(dir, 'f'), Uint8Array.of(50));
  assert.equal(await readFile(join(dir, 'f'), 'utf8'), '2');
  assert.deepEqual(await readdir(dir), ['f']);
});

/** Runs writer.ts in a process of its own, which writes versions of an output for ever. */
function startWriter(
  t: TestContext,
  out: string,
  mode: string,
): { child: ChildProcess; started: Promise<void> } {
  const script = fileURLToPath(new URL('./writer.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, out, mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  return { child, started: new Promise((resolve) => child.stdout?.once('data', () => resolve())) };
}

async function killed(child: ChildProcess): Promise<void> {
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exit;
}

test('kill -9 in the middle of the work leaves the previous output, and the next run takes over', async (t) => {
  const dir = await temporary(t);
  const out = join(dir, 'out');
  await withOutputDirectory(out, plain, write('1'));
  const { child, started } = startWriter(t, out, 'hang');
  await started;
  await assert.rejects(withOutputDirectory(out, force, write('2')), { code: 'OUTPUT_BUSY' });
  await killed(child);
  assert.equal(await version(out), '1');
  await withOutputDirectory(out, { force: true, resume: true }, async (partial, resumed) => {
    assert.equal(resumed, true);
    await write('3')(partial);
  });
  assert.equal(await version(out), '3');
});

test('kill -9 at any moment of replacing: a reader finds one whole version after recovery', async (t) => {
  const dir = await temporary(t);
  const out = join(dir, 'out');
  await withOutputDirectory(out, plain, async (partial) => {
    for (const name of ['manifest.json', 'a', 'b']) await writeFile(join(partial, name), 'first');
  });
  for (const delay of [0, 11]) {
    const { child, started } = startWriter(t, out, 'replace');
    await started;
    await new Promise((resolve) => setTimeout(resolve, delay));
    await killed(child);
    await assert.rejects(withOutputDirectory(out, plain, write('')), { code: 'OUTPUT_EXISTS' });
    const contents = await Promise.all(
      ['manifest.json', 'a', 'b'].map((name) => readFile(join(out, name), 'utf8')),
    );
    assert.equal(new Set(contents).size, 1, contents.join());
  }
});
