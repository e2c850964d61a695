import { readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
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
  while (!(await take(file))) {
    const pid = holder(file);
    if (pid !== undefined && !alive(pid)) {
      rmSync(file, { force: true });
      continue;
    }
    if (signal.aborted) throw new RecsysError('INTERRUPTED', 'interrupted while waiting for another install');
    if (!told && pid !== undefined) onWait(pid);
    told = true;
    await setTimeout(300);
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

async function take(file: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx');
    await handle.writeFile(String(process.pid));
    await handle.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function holder(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
