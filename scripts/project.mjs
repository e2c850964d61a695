/** What the scripts share: plain Node, nothing installed is needed. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Run a program in `root` and give its exit status; its output goes to stderr, or where `stdout` says. */
export function run(command, args, { root = ROOT, quiet = false, stdout = 2, env = process.env } = {}) {
  const stdio = ['ignore', quiet ? 'ignore' : stdout, 2];
  const result = spawnSync(command, args, { cwd: root, stdio, env });
  if (result.error) process.stderr.write(`${command}: ${result.error.message}\n`);
  return result.status ?? 1;
}

/** Run a script of an installed package with this Node. */
export function runTool(path, args, options = {}) {
  return run(process.execPath, [join(options.root ?? ROOT, 'node_modules', path), ...args], options);
}

/** Files under `folder`, sorted, without hidden ones. */
export function filesUnder(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.name.startsWith('.'))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesUnder(path) : [path];
    })
    .sort();
}

/** SHA-256 over the names and contents of files. */
export function hashFiles(root, files) {
  const hash = createHash('sha256');
  for (const file of files) {
    hash.update(`${relative(root, file)}\0`);
    hash.update(readFileSync(file));
    hash.update('\0');
  }
  return hash.digest('hex');
}

export function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Where `npm ci` leaves its record, and ours of the lockfile it was run for. */
const npmRecord = (root) => join(root, 'node_modules', '.package-lock.json');
export const installStamp = (root) => join(root, 'node_modules', '.recsys-lock');

export function lockHash(root) {
  return hashFiles(root, [join(root, 'package-lock.json')]);
}

/** Whether node_modules fits the lockfile: by our stamp, or (after a hand-run npm install) by npm's newer record. */
export function dependenciesAreCurrent(root = ROOT) {
  const record = npmRecord(root);
  if (!existsSync(record)) return false;
  const stamp = readText(installStamp(root));
  if (stamp === lockHash(root)) return true;
  return statSync(record).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
}

export const buildStamp = (root) => join(root, 'dist', '.sources');

/** Hash of all that a build is made from. */
export function sourcesHash(root = ROOT) {
  const settings = ['tsconfig.json', 'tsconfig.page.json', 'package-lock.json']
    .map((name) => join(root, name))
    .filter(existsSync);
  return hashFiles(root, [...settings, ...filesUnder(join(root, 'src'))]);
}

/** Whether dist was built from the sources as they are. */
export function distIsCurrent(root = ROOT) {
  return readText(buildStamp(root)) === sourcesHash(root);
}

export function seconds(start) {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}

/** Whether this module is the program that was started. */
export function isMain(url) {
  return process.argv[1] !== undefined && fileURLToPath(url) === realpathSync(process.argv[1]);
}
