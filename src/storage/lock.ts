import { readFileSync } from 'node:fs';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
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

/** Locks this process holds. A lock file with our own id that is not among them is a predecessor's. */
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

function isHeld(path: string, holder: Holder): boolean {
  // Another machine's processes cannot be asked: the lock counts until someone removes it.
  if (holder.host !== hostname()) return true;
  if (holder.pid === process.pid) return held.has(path);
  if (!isAlive(holder.pid)) return false;
  const started = startedAt(holder.pid);
  return holder.started === '' || started === '' || started === holder.started;
}

async function create(path: string): Promise<boolean> {
  try {
    const handle = await open(path, 'wx');
    try {
      await handle.writeFile(`${process.pid}\n${hostname()}\n${startedAt(process.pid)}\n`);
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
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

/** Removes a lock judged stale, unless another process has replaced it in the meantime. */
async function discard(path: string, judged: string): Promise<void> {
  const aside = `${path}.${process.pid}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  if ((await content(aside)) !== judged) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

/**
 * Takes the lock at `path`, from a dead process if need be.
 * @param what what is locked, for the message
 * @throws OUTPUT_BUSY while a living process holds it
 */
export async function acquireLock(path: string, what: string): Promise<Lock> {
  for (let attempt = 0; ; attempt++) {
    if (await create(path)) {
      held.add(path);
      return {
        async release() {
          await rm(path, { force: true });
          held.delete(path);
        },
      };
    }
    const text = await content(path);
    if (text === undefined) continue;
    const holder = parse(text);
    if (holder === undefined && attempt < 5) {
      // Created a moment ago and not yet written, or its writer died in between.
      await sleep(20);
    } else if (holder !== undefined && isHeld(path, holder)) {
      const where = holder.host === hostname() ? '' : ` on ${holder.host}`;
      throw new RecsysError('OUTPUT_BUSY', `${what} is being written by process ${holder.pid}${where}`, {
        remedy: `Wait until the other process is done, or end it. If it is gone, remove ${path}.`,
      });
    } else {
      await discard(path, text);
    }
  }
}
