import { readFileSync } from 'node:fs';
import { link, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { RecsysError } from '../errors.js';
import { systemCode } from './disk.js';

/**
 * A lock file: held by the process whose id it contains, and free once that process is gone.
 *
 * A process id alone is not enough: ids are used again, and in a container every run may have the same one. So the
 * file also names the host and, on Linux, the moment the process started.
 */
export interface Lock {
  release(): Promise<void>;
}

/** Locks this process holds or is taking. A lock file with our own id that is not among them is a predecessor's. */
const held = new Set<string>();

function startedAt(pid: number): string {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the command in parentheses and may hold spaces; the start time is the 22nd field.
    return line.slice(line.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly started: string;
}

function parse(text: string): Holder | undefined {
  const [pid, host, started] = text.trim().split('\n');
  if (pid === undefined || host === undefined || !/^\d+$/.test(pid)) return undefined;
  return { pid: Number(pid), host, started: started ?? '' };
}

/** Whether another process holds the lock: that this one does is known from `held`. */
function isHeld(holder: Holder): boolean {
  // Another machine's processes cannot be asked: the lock counts until someone removes it.
  if (holder.host !== hostname()) return true;
  if (holder.pid === process.pid) return false;
  if (!isAlive(holder.pid)) return false;
  const started = startedAt(holder.pid);
  return holder.started === '' || started === '' || started === holder.started;
}

/**
 * Creates the file with its content in one step, or says that it exists: one without content would look like what a dead
 * process left. Where the disk knows no hard links, in two steps.
 */
async function create(path: string): Promise<boolean> {
  const draft = `${path}.${hostname()}.${process.pid}`;
  const text = `${process.pid}\n${hostname()}\n${startedAt(process.pid)}\n`;
  try {
    await writeFile(draft, text);
    try {
      await link(draft, path);
    } catch (error) {
      if (systemCode(error) === 'EEXIST') throw error;
      await writeFile(path, text, { flag: 'wx' });
    }
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function content(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** How long a guard may stand, in milliseconds: it is held for a few system calls, or by a process that died in them. */
const GUARD_LIFETIME = 10_000;

/**
 * Removes a lock judged stale. A guard file keeps other processes from judging meanwhile: without it one of them could
 * remove the lock that another has just taken in place of the stale one.
 */
async function discard(path: string, judged: string): Promise<void> {
  const guard = `${path}.guard`;
  if (!(await create(guard))) {
    const age = await stat(guard).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (age > GUARD_LIFETIME) await rm(guard, { force: true });
    else await sleep(20);
    return;
  }
  try {
    if ((await content(path)) === judged) await rm(path, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}

/**
 * Takes the lock at `path`, from a dead process if need be.
 * @param what what is locked, for the message
 * @throws OUTPUT_BUSY while a living process holds it
 */
export async function acquireLock(path: string, what: string): Promise<Lock> {
  if (held.has(path)) throw busy(path, what, { pid: process.pid, host: hostname() });
  held.add(path);
  try {
    await take(path, what);
  } catch (error) {
    held.delete(path);
    throw error;
  }
  return {
    async release() {
      await rm(path, { force: true });
      held.delete(path);
    },
  };
}

async function take(path: string, what: string): Promise<void> {
  for (let attempt = 0; !(await create(path)); attempt++) {
    const text = await content(path);
    if (text === undefined) continue;
    const holder = parse(text);
    // Written in two steps, perhaps, and the second is still to come.
    if (holder === undefined && attempt < 5) await sleep(20);
    else if (holder !== undefined && isHeld(holder)) throw busy(path, what, holder);
    else await discard(path, text);
  }
}

function busy(path: string, what: string, { pid, host }: Pick<Holder, 'pid' | 'host'>): RecsysError {
  const where = host === hostname() ? '' : ` on ${host}`;
  return new RecsysError('OUTPUT_BUSY', `${what} is being written by process ${pid}${where}`, {
    remedy: `Wait until the other process is done, or end it. If it is gone, remove ${path}.`,
  });
}
