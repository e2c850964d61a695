import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  activeInstall,
  cacheFolder,
  currentFile,
  INSTALL_FORMAT,
  installName,
  listInstalls,
} from '../../src/compute/native/cache.js';
import { installNative } from '../../src/compute/native/install.js';
import { intraOpThreads } from '../../src/compute/native/load.js';
import { withLock } from '../../src/compute/native/lock.js';
import { findToolchain, obstacle } from '../../src/compute/native/tools.js';
import { downloadWheel, parseCudaRequirements, pipReason } from '../../src/compute/native/wheel.js';
import { RecsysError } from '../../src/errors.js';
import type { ProgressEvent, StageContext } from '../../src/types.js';

const scratch = mkdtempSync(join(tmpdir(), 'recsys-native-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

function recorder(signal = new AbortController().signal): StageContext & { steps: string[] } {
  const steps: string[] = [];
  const progress = ({ fields }: ProgressEvent) => void steps.push(String(fields?.step));
  return { steps, progress, log() {}, signal };
}

/** A program in a folder of its own, as a shell script. */
function program(folder: string, name: string, script: string): string {
  const path = join(scratch, folder);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(path, name), 0o755);
  return path;
}

const PIP_VERSION = 'pip 23.2.1 from /usr/lib/python3/dist-packages/pip (python 3.11)';
const linux = process.platform === 'linux' ? false : 'needs Linux';

describe('the tools an install needs', { skip: linux }, () => {
  test('are found on the PATH, with their versions', async () => {
    const bin = program('tools', 'python3', `echo "${PIP_VERSION}"`);
    program('tools', 'g++', 'echo "g++ (Debian) 12.2.0"; echo more');
    const tools = await findToolchain({ PATH: bin });
    assert.deepEqual(tools.python, { command: 'python3', version: '3.11', pip: '23.2.1' });
    assert.deepEqual(tools.compiler, { command: 'g++', version: 'g++ (Debian) 12.2.0' });
    assert.equal(obstacle(tools, 'linux', 'x64'), undefined);
  });

  test('a Python without pip does not count', async () => {
    const bin = program('no-pip', 'python3', 'echo "No module named pip" >&2; exit 1');
    assert.equal((await findToolchain({ PATH: bin })).python, undefined);
  });

  test('what is missing is named with the package that brings it', async () => {
    const none = obstacle(await findToolchain({ PATH: join(scratch, 'nothing') }), 'linux', 'x64');
    assert.match(none?.message ?? '', /Python 3 with pip and a C\+\+ compiler \(g\+\+\) are needed/);
    assert.match(none?.remedy ?? '', /apt-get install python3-pip g\+\+/);
    const bin = program('only-python', 'python3', `echo "${PIP_VERSION}"`);
    const half = obstacle(await findToolchain({ PATH: bin }), 'linux', 'x64');
    assert.match(half?.message ?? '', /^a C\+\+ compiler \(g\+\+\) is needed/);
  });

  test('elsewhere than on Linux it is said that wasm works', () => {
    const found = obstacle({ python: undefined, compiler: undefined }, 'darwin', 'arm64');
    assert.match(found?.message ?? '', /not on darwin arm64/);
    assert.match(found?.remedy ?? '', /wasm/);
  });
});

describe('a refused install', { skip: linux }, () => {
  test('without tools: one clear error, nothing left behind', async () => {
    const cache = join(scratch, 'cache-none');
    const env = { PATH: join(scratch, 'nothing') };
    await assert.rejects(installNative({ cache, env }, recorder()), { code: 'ENVIRONMENT', exitCode: 5 });
    assert.deepEqual(readdirSync(cache), []);
  });

  test("pip's reason in one line, nothing left behind", async () => {
    const bin = program(
      'failing-pip',
      'python3',
      `if [ "$3" = --version ]; then echo "${PIP_VERSION}"; exit 0; fi
echo "ERROR: Could not find a version that satisfies the requirement tensorflow-cpu==9.9.9 (from versions: 2.17.0, 2.18.1)" >&2
echo "ERROR: No matching distribution found for tensorflow-cpu==9.9.9" >&2; exit 1`,
    );
    program('failing-pip', 'g++', 'echo 12');
    const cache = join(scratch, 'cache-pip');
    const env = { ...process.env, PATH: bin, PYTHON: join(bin, 'python3') };
    const context = recorder();
    await assert.rejects(installNative({ cache, tensorflow: '9.9.9', env }, context), (error: unknown) => {
      assert.ok(error instanceof RecsysError);
      assert.equal(
        error.message,
        'pip could not download tensorflow-cpu==9.9.9: no such version; the newest on the package index are 2.17.0, 2.18.1',
      );
      return true;
    });
    assert.deepEqual(context.steps, ['downloading tensorflow-cpu==9.9.9']);
    assert.deepEqual(readdirSync(cache), []);
  });

  test('an interrupted one ends pip and leaves nothing', async () => {
    const bin = program(
      'slow-pip',
      'python3',
      `[ "$3" = --version ] && echo "${PIP_VERSION}" || exec sleep 60`,
    );
    program('slow-pip', 'g++', 'echo 12');
    const cache = join(scratch, 'cache-slow');
    const stop = new AbortController();
    const context = { ...recorder(stop.signal), progress: () => void setTimeout(() => stop.abort(), 200) };
    const env = { PATH: `${bin}:/usr/bin:/bin` };
    await assert.rejects(installNative({ cache, env }, context), { code: 'INTERRUPTED' });
    assert.deepEqual(readdirSync(cache), []);
  });

  test('an unwritable cache folder is a DISK error that names it', async () => {
    const file = join(scratch, 'a-file');
    writeFileSync(file, '');
    const cache = join(file, 'cache');
    await assert.rejects(installNative({ cache, env: {} }, recorder()), (error: unknown) => {
      assert.ok(error instanceof RecsysError);
      assert.equal(error.code, 'DISK');
      assert.ok(error.message.includes(cache));
      return true;
    });
  });
});

describe('pip', () => {
  test('reasons are shortened to what helps', () => {
    const unreachable = [
      'WARNING: Retrying (Retry(total=0)) after connection broken by NewConnectionError: refused',
      'ERROR: Could not find a version that satisfies the requirement x==1 (from versions: none)',
      'ERROR: No matching distribution found for x==1',
    ].join('\n');
    assert.equal(pipReason(unreachable), 'no package index can be reached');
    assert.match(pipReason(unreachable.split('\n').slice(1).join('\n')), /^no such package or version/);
    assert.equal(
      pipReason('ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device'),
      'Could not install packages due to an OSError: [Errno 28] No space left on device',
    );
    assert.equal(pipReason(''), 'no reason given');
  });

  test('other Python versions are tried when the index has no wheel for one', { skip: linux }, async () => {
    const bin = program(
      'choosy-pip',
      'pip-stub',
      `case "$*" in
*"--python-version 3.10"*) while [ "$1" != --dest ]; do shift; done; : > "$2/x-1-cp310.whl";;
*) echo "ERROR: No matching distribution found for x==1" >&2; exit 1;;
esac`,
    );
    const folder = join(scratch, 'choosy-out');
    const wheel = await downloadWheel(join(bin, 'pip-stub'), 'x==1', folder, recorder());
    assert.equal(wheel, join(folder, 'x-1-cp310.whl'));
  });

  test('CUDA wheels are those the extra and-cuda names', () => {
    const lines = [
      'absl-py >=1.0.0',
      "nvidia-cublas-cu12 ==12.5.3.2 ; extra == 'and-cuda'",
      'nvidia-cudnn-cu12<10.0,>=9.3.0.75; extra == "and-cuda"',
      'nvidia-elsewhere ==1.0',
    ].join('\n');
    assert.deepEqual(parseCudaRequirements(lines), [
      'nvidia-cublas-cu12==12.5.3.2',
      'nvidia-cudnn-cu12<10.0,>=9.3.0.75',
    ]);
  });
});

describe('the cache', () => {
  const record = (tensorflow: string) => ({
    formatVersion: INSTALL_FORMAT,
    tensorflow,
    device: 'cpu',
    tfjs: '4.22.0',
    platform: process.platform,
    arch: process.arch,
    compiler: 'c',
    node: '20.19.0',
    wheels: [],
    files: {},
    installedAt: '2024-01-01T00:00:00.000Z',
  });
  const cache = join(scratch, 'cache-list');
  const put = (tensorflow: string, text: string) => {
    const folder = join(cache, installName(tensorflow, 'cpu'));
    mkdirSync(folder, { recursive: true });
    for (const name of ['tfjs_binding.node', 'recsys_quiet.node']) writeFileSync(join(folder, name), '');
    writeFileSync(join(folder, 'install.json'), text);
  };

  test('its folder follows RECSYS_CACHE, then XDG_CACHE_HOME, then the home folder', () => {
    assert.equal(cacheFolder({ RECSYS_CACHE: '/a', XDG_CACHE_HOME: '/b' }), '/a');
    assert.equal(cacheFolder({ XDG_CACHE_HOME: '/b' }), join('/b', 'recsys'));
    assert.match(cacheFolder({}), /[/\\]\.cache[/\\]recsys$/);
  });

  test('damaged and unfinished installs do not count; the one last asked for is active', () => {
    assert.deepEqual(listInstalls(join(scratch, 'absent')), []);
    put('2.18.1', JSON.stringify(record('2.18.1')));
    put('2.21.0', JSON.stringify(record('2.21.0')));
    put('2.99.0', '{"formatVersion":1}');
    put('2.98.0', '{"formatVers');
    mkdirSync(join(cache, `${installName('2.97.0', 'cpu')}.partial`));
    assert.deepEqual(
      listInstalls(cache).map((install) => install.record.tensorflow),
      ['2.18.1', '2.21.0'],
    );
    assert.equal(activeInstall(cache)?.record.tensorflow, '2.21.0');
    writeFileSync(currentFile(cache), `${installName('2.18.1', 'cpu')}\n`);
    assert.equal(activeInstall(cache)?.record.tensorflow, '2.18.1');
  });

  test('installing what is there downloads nothing and makes it the active one', async () => {
    const context = recorder();
    const env = { PATH: join(scratch, 'nothing') };
    const result = await installNative({ cache, tensorflow: '2.21.0', env }, context);
    assert.equal(result.present, true);
    assert.deepEqual(context.steps, []);
    assert.equal(activeInstall(cache)?.record.tensorflow, '2.21.0');
  });

  test('a lock of a dead process is taken over, a live one is waited for', async () => {
    const file = join(scratch, 'x.lock');
    const { signal } = new AbortController();
    const never = () => assert.fail('nothing to wait for');
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    writeFileSync(file, String(dead));
    assert.equal(await withLock(file, signal, never, async () => 'mine'), 'mine');
    assert.equal(existsSync(file), false);

    const order: string[] = [];
    let release = () => {};
    const first = withLock(file, signal, never, async () => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      order.push('first');
    });
    const waited = () => {
      order.push('waits');
      release();
    };
    await Promise.all([first, withLock(file, signal, waited, async () => void order.push('second'))]);
    assert.deepEqual(order, ['waits', 'first', 'second']);
  });
});

test('threads of an operation: what the environment says, else what is asked for, else one a core', () => {
  assert.equal(intraOpThreads({ TF_NUM_INTRAOP_THREADS: '3' }, 1), 3);
  for (const said of [undefined, '', '0', '-1', '1.5', 'many'])
    assert.equal(intraOpThreads({ TF_NUM_INTRAOP_THREADS: said }, 2), 2);
  assert.equal(intraOpThreads({}), availableParallelism());
});
