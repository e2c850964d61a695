import { open, readdir, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { RecsysError } from '../errors.js';

/** The code of a system error (`ENOENT` …), or '' for anything else. */
export function systemCode(error: unknown): string {
  if (!(error instanceof Error) || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

const FULL: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
};
const DENIED: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOTDIR: 'a part of the path is a file',
  EEXIST: 'a file of that name is in the way',
  EISDIR: 'the path is a directory',
  ENAMETOOLONG: 'the name is too long',
};

/**
 * The user's error behind a failed write below `root`, or the error itself where the disk is not to blame.
 * A denied permission elsewhere (an unreadable input, say) is left for its reader to explain.
 */
export function diskError(error: unknown, root: string): unknown {
  const code = systemCode(error);
  const path =
    error instanceof Error && 'path' in error && typeof error.path === 'string' ? error.path : root;
  const full = FULL[code];
  if (full !== undefined) return new RecsysError('DISK', `cannot write ${path}: ${full}`, { cause: error });
  const denied = DENIED[code];
  if (denied !== undefined && (path === root || path.startsWith(dirname(root)))) {
    return new RecsysError('DISK', `cannot write ${path}: ${denied}`, { cause: error });
  }
  // The folder was made a moment ago: a file system that keeps none (such as /proc) says so only now.
  if (code === 'ENOENT' && path.startsWith(`${root}.`))
    return new RecsysError('DISK', `cannot write ${path}: no file can be created there`, { cause: error });
  return error;
}

/** What stands at `path`; symbolic links are followed. */
export async function kindOf(path: string): Promise<'file' | 'directory' | 'none'> {
  try {
    return (await stat(path)).isDirectory() ? 'directory' : 'file';
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return 'none';
    throw error;
  }
}

/** Every file below `dir` as a sorted list of relative paths with forward slashes. */
export async function listFiles(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

/** Forces a file or directory to the disk. Systems that cannot sync a directory are left to their own order. */
export async function sync(path: string): Promise<void> {
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (systemCode(error) === 'EISDIR' || systemCode(error) === 'EPERM') return;
    throw error;
  }
  try {
    await handle.sync();
  } catch (error) {
    if (!['EINVAL', 'EPERM', 'EISDIR', 'EBADF'].includes(systemCode(error))) throw error;
  } finally {
    await handle.close();
  }
}

/** Forces everything below `dir`, and `dir` itself, to the disk. */
export async function syncTree(dir: string): Promise<void> {
  const entries = await readdir(dir, { withFileTypes: true });
  for (const entry of entries) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else if (entry.isFile()) await sync(path);
  }
  await sync(dir);
}
