import { open } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { diskError } from '../../storage/disk.js';
import { masked } from './mask.js';

/** Who acts over HTTP: a key, by its id. */
export interface Actor {
  readonly key: string;
}

/**
 * What administrators did: one JSON line an action, on the disk before the action takes effect, so that none goes unrecorded.
 * Each line has `time`, the process (`pid`), its `user`, over HTTP the `key`, the `action`, and what it was done to. Never a secret.
 */
export class AuditLog {
  constructor(
    readonly file: string,
    private readonly now: () => number = Date.now,
  ) {}

  /** The log that stands beside a key file. */
  static beside(keyFile: string): AuditLog {
    return new AuditLog(join(dirname(keyFile), 'audit.log'));
  }

  /** @throws RecsysError DISK where the line cannot be written: the action must then not be taken */
  async record(action: string, what: Readonly<Record<string, unknown>>, by?: Actor): Promise<void> {
    const who = { user: userName(), pid: process.pid, ...(by === undefined ? {} : { key: by.key }) };
    const line = JSON.stringify({ time: new Date(this.now()).toISOString(), ...who, action, ...what });
    try {
      const handle = await open(this.file, 'a', 0o600);
      try {
        await handle.appendFile(`${masked(line)}\n`);
        await handle.sync();
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw diskError(error, this.file);
    }
  }
}

/** The operating system's name of the user, or its number where it has none (as in containers). */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
