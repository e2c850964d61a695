import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { RecsysError } from '../../errors.js';

/**
 * Run `work` while this process alone holds `file`. Another live process's lock is waited for (`onWait` is told once);
 * one left by a dead process is taken over.
 */
export async function withLock<T>(
  file: string,
  signal: AbortSignal,
  onWait: (pid: number) => void,
  work: () => Promise<T>,
): Promise<T> {
  let told = false;
  while (!take(file)) {
    const pid = holder(file);
    if (!alive(pid)) {
      rmSync(file, { force: true });
      continue;
    }
    if (signal.aborted) throw new RecsysError('INTERRUPTED', 'interrupted while waiting for another install');
    if (!told) onWait(pid);
    told = true;
    await setTimeout(300);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

/** A file that appears with its content: a hard link is made or refused as one step. */
function take(file: string): boolean {
  const draft = `${file}.${process.pid}.${drafts++}`;
  writeFileSync(draft, String(process.pid));
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

let drafts = 0;

/** The process that holds the lock; 0 when it was let go meanwhile or names none. */
function holder(file: string): number {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    return Number.isInteger(pid) && pid > 0 ? pid : 0;
  } catch {
    return 0;
  }
}

function alive(pid: number): boolean {
  if (pid === 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
