import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve, sep } from 'node:path';
import { RecsysError } from '../errors.js';
import { diskError, kindOf, sync, syncTree } from './disk.js';
import { failpoint } from './failpoints.js';
import { acquireLock } from './lock.js';
import { clearSnapshots, isResumable } from './snapshot.js';

export interface OutputOptions {
  /** Replace an existing `<out>`, and discard an unfinished `<out>.partial`. */
  readonly force: boolean;
  /** Continue `<out>.partial` where it holds enough to continue from. */
  readonly resume: boolean;
}

/**
 * Writes a directory all or nothing: `work` fills `<out>.partial/`, which is forced to the disk and renamed to `<out>/`.
 *
 * With `force` an existing `<out>/` stays whole until the new one is: it moves to `<out>.replaced/` for the moment between
 * two renames, and is put back by the next run if the process dies in that moment. When `work` throws, `<out>.partial/`
 * is removed unless it holds a snapshot or `progress.json` to resume from; an interruption then names `--resume`.
 *
 * @param work gets the directory to fill, and whether it continues an earlier run
 * @throws OUTPUT_EXISTS before any work · OUTPUT_BUSY while another process writes the same output · DISK
 */
export async function withOutputDirectory<T>(
  out: string,
  options: OutputOptions,
  work: (partial: string, resumed: boolean) => Promise<T>,
): Promise<T> {
  const target = resolve(out);
  const partial = `${target}.partial`;
  const old = `${target}.replaced`;
  try {
    await mkdir(dirname(target), { recursive: true });
    const lock = await acquireLock(`${target}.lock`, out);
    try {
      await recover(target, old);
      await checkTarget(out, target, old, options);
      const resumed = await openPartial(out, partial, options);
      try {
        const result = await work(partial, resumed);
        await syncTree(partial);
        failpoint('output.filled');
        await publish(partial, target, old);
        // Only now: a process killed before the rename can still be resumed.
        await clearSnapshots(target);
        return result;
      } catch (error) {
        if (await isResumable(partial)) throw continuable(error);
        await rm(partial, { recursive: true, force: true });
        throw error;
      }
    } finally {
      await lock.release();
    }
  } catch (error) {
    throw diskError(error, target);
  }
}

/** The error of work that left something to go on from: only here is it known that an interrupted stage did. */
function continuable(error: unknown): unknown {
  if (!(error instanceof RecsysError) || error.code !== 'INTERRUPTED') return error;
  return new RecsysError(error.code, error.message, { remedy: 'Continue with --resume.', cause: error });
}

/** Puts back a directory that a process killed between the two renames of `withOutputDirectory` left aside. No other may write it. */
export async function recoverOutput(out: string): Promise<void> {
  const target = resolve(out);
  await recover(target, `${target}.replaced`);
}

/** Finishes what a process killed between the renames of `publish` left behind. What we did not write stays. */
async function recover(target: string, old: string): Promise<void> {
  if ((await kindOf(old)) !== 'directory' || !(await looksWritten(old))) return;
  if ((await kindOf(target)) === 'none') await rename(old, target);
  else await removeWritten(old);
}

async function checkTarget(out: string, target: string, old: string, options: OutputOptions): Promise<void> {
  const kind = await kindOf(target);
  if (kind === 'none') return;
  if (kind === 'file') {
    throw new RecsysError('OUTPUT_EXISTS', `${out} is a file, where a directory is to be written`, {
      remedy: 'Choose another --out.',
    });
  }
  if ((await readdir(target)).length === 0) return;
  if (!options.force) throw new RecsysError('OUTPUT_EXISTS', `${out} exists already`);
  const here = process.cwd();
  const inside = target.endsWith(sep) ? target : target + sep;
  const precious = target === here || here.startsWith(inside) || `${homedir()}${sep}`.startsWith(inside);
  if (precious || !(await looksWritten(target))) {
    throw new RecsysError(
      'OUTPUT_EXISTS',
      `${out} does not look like something recsys wrote, so --force does not replace it`,
      {
        remedy: 'Choose another --out, or remove the directory yourself.',
      },
    );
  }
  const aside = await kindOf(old);
  if (aside === 'file' || (aside === 'directory' && (await readdir(old)).length > 0)) {
    throw new RecsysError(
      'OUTPUT_EXISTS',
      `${old} is in the way: ${out} is moved there while it is replaced, and recsys did not write what is there now`,
      { remedy: `Move or remove ${old}, or choose another --out.` },
    );
  }
}

/** Left in every directory published here: what --force may replace. */
const MARKER = '.recsys';
const MANIFEST = 'manifest.json';
const KINDS = new Set(['dataset', 'checkpoint', 'evaluation', 'export', 'raw']);

/** Whether a directory is an output of a stage, which --force may replace: it carries our marker, or a manifest.json of a kind that only we write. */
export async function looksWritten(dir: string): Promise<boolean> {
  const names = await readdir(dir);
  if (names.includes('.git')) return false;
  if (names.includes(MARKER)) return true;
  if (!names.includes(MANIFEST)) return false;
  try {
    const manifest: unknown = JSON.parse(await readFile(join(dir, MANIFEST), 'utf8'));
    return (
      typeof manifest === 'object' &&
      manifest !== null &&
      'kind' in manifest &&
      KINDS.has(String(manifest.kind))
    );
  } catch {
    return false;
  }
}

async function openPartial(out: string, partial: string, options: OutputOptions): Promise<boolean> {
  const resumable = await isResumable(partial);
  if (resumable && options.resume) return true;
  if (resumable && !options.force) {
    throw new RecsysError('OUTPUT_EXISTS', `${out}.partial holds an unfinished run`, {
      remedy: 'Continue it with --resume, or start again with --force.',
    });
  }
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial);
  return false;
}

async function publish(partial: string, target: string, old: string): Promise<void> {
  const parent = dirname(target);
  await writeFile(join(partial, MARKER), '', { flush: true });
  const replaces = (await kindOf(target)) === 'directory' && (await readdir(target)).length > 0;
  if (replaces) await rename(target, old);
  failpoint('output.aside');
  try {
    await rename(partial, target);
  } catch (error) {
    if (replaces) await rename(old, target);
    throw error;
  }
  await sync(parent);
  failpoint('output.published');
  if (replaces) await removeWritten(old);
}

/** Removes a directory that we wrote, what it is known by last: a process killed on the way leaves what the next one takes for ours. */
async function removeWritten(dir: string): Promise<void> {
  const known = [MANIFEST, MARKER];
  const names = (await readdir(dir)).toSorted((a, b) => known.indexOf(a) - known.indexOf(b));
  for (const name of names) {
    if (name === MARKER) failpoint('output.removing');
    await rm(join(dir, name), { recursive: true, force: true });
  }
  await rm(dir, { recursive: true, force: true });
}

/**
 * Writes a file all or nothing: a reader sees the old content or the new.
 * @param mode permissions of the file, less the umask
 * @throws DISK
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array, mode = 0o666): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    const handle = await open(temporary, 'w', mode);
    try {
      await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await sync(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw diskError(error, path);
  }
}
