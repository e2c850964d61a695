import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * What a file or directory holds, in one short text that changes when its contents do: a dataset's fingerprint, the hash
 * of another manifest (which holds the hashes of its files), else sizes and modification times.
 *
 * @returns undefined where nothing can be said of it (stdin)
 */
export async function identify(path: string): Promise<string | undefined> {
  if (path === '-') return undefined;
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) return /[*?[{]/.test(path) ? `glob:${await listing(staticPart(path))}` : 'missing';
  if (info.isFile()) return `file:${info.size}:${info.mtimeMs}`;
  const manifest = await readFile(join(path, 'manifest.json')).catch(() => undefined);
  return manifest === undefined ? `folder:${await listing(path)}` : manifestIdentity(manifest);
}

function manifestIdentity(bytes: Buffer): string {
  try {
    const manifest = JSON.parse(bytes.toString('utf8')) as { kind?: unknown; fingerprint?: unknown };
    if (manifest.kind === 'dataset' && typeof manifest.fingerprint === 'string')
      return `dataset:${manifest.fingerprint}`;
  } catch {
    // Not JSON: its bytes identify it just as well, and the stage that reads it says what is wrong.
  }
  return `manifest:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The folder of a glob: what stands before its first wildcard. */
function staticPart(glob: string): string {
  let folder = glob;
  while (/[*?[{]/.test(folder)) folder = dirname(folder);
  return folder;
}

async function listing(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.sort()) {
    const info = await stat(file).catch(() => undefined);
    hash.update(`${file}\0${info?.size}\0${info?.mtimeMs}\n`);
  }
  return `${files.length}:${hash.digest('hex')}`;
}
