/**
 * Make a clone ready to run: packages, build, native backend. Each step is done only where it is needed, so a second run does
 * nothing. The native backend is a bonus: without it the wasm backend is used, and a failure here never stops the run.
 *
 * RECSYS_NATIVE=off leaves the native backend alone.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildIfNeeded } from './build.mjs';
import {
  dependenciesAreCurrent,
  installStamp,
  isMain,
  lockHash,
  ROOT,
  readText,
  run,
  seconds,
} from './project.mjs';

const OLDEST_NODE = [20, 19];
/** How long a failed native install is not tried again. */
const RETRY_AFTER_MS = 24 * 3600 * 1000;

const say = (line) => process.stderr.write(`${line}\n`);

/** Set up the project in `root`. Gives what was done, step by step, or throws with a message for the user. */
export async function setup(root = ROOT) {
  checkNode();
  const done = { packages: 'current', build: 'current', native: 'off' };
  if (!dependenciesAreCurrent(root)) {
    installPackages(root);
    done.packages = 'installed';
  }
  const start = performance.now();
  done.build = buildIfNeeded(root);
  if (done.build === 'failed') throw new Error('setup: the build failed (see the messages above)');
  if (done.build === 'built') say(`setup: built dist (${seconds(start)})`);
  done.native = await setupNative(root);
  return done;
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  throw new Error(
    `setup: Node ${process.versions.node} is too old; ${OLDEST_NODE.join('.')} or newer is needed`,
  );
}

function installPackages(root) {
  const start = performance.now();
  say('setup: installing packages with npm ci');
  const npm = process.platform === 'win32' ? ['cmd', ['/c', 'npm']] : ['npm', []];
  const args = [...npm[1], 'ci', '--no-audit', '--no-fund', '--loglevel=error'];
  if (run(npm[0], args, { root, quiet: true }) !== 0) {
    throw new Error('setup: npm ci failed (see the messages above); is the package registry reachable?');
  }
  writeFileSync(installStamp(root), lockHash(root));
  say(`setup: packages are installed (${seconds(start)})`);
}

/** Install the native backend where that is possible, with one line of outcome. */
async function setupNative(root) {
  if (process.env.RECSYS_NATIVE === 'off') return 'off';
  const load = (path) => import(pathToFileURL(join(root, 'dist', 'compute', 'native', path)).href);
  const failure = join(root, '.cache', 'native-failure.json');
  try {
    const { activeInstall } = await load('cache.js');
    if (activeInstall()) return 'current';
    const before = JSON.parse(readText(failure) ?? '{}');
    if (Date.now() - (before.at ?? 0) < RETRY_AFTER_MS) {
      say(
        `setup: the wasm backend is used; the native one was not installed: ${before.reason} (\`recsys backend install\` tries again)`,
      );
      return 'failed before';
    }
    const start = performance.now();
    say('setup: installing the native backend (230 MB, once a machine)');
    const { installNative } = await load('install.js');
    const context = { progress() {}, log() {}, signal: new AbortController().signal };
    const { record } = await installNative({}, context);
    rmSync(failure, { force: true });
    say(`setup: the native backend is installed: libtensorflow ${record.tensorflow} (${seconds(start)})`);
    return 'installed';
  } catch (error) {
    const why = `${error.message}. ${error.remedy ?? ''}`.trim();
    say(`setup: the wasm backend is used; the native one was not installed: ${why}`);
    mkdirSync(dirname(failure), { recursive: true });
    writeFileSync(failure, JSON.stringify({ at: Date.now(), reason: error.message }));
    return 'failed';
  }
}

if (isMain(import.meta.url)) {
  try {
    await setup();
  } catch (error) {
    say(error.message);
    process.exitCode = 1;
  }
}
