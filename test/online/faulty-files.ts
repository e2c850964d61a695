import { dirname } from 'node:path';
import type { JournalFile, JournalFiles } from '../../src/online/journal/files.js';
import type { Random } from '../../src/random.js';

/** A file: what the disk has, what programs see, and all states between that a power cut may leave parts of. */
interface Inode {
  /** The first is on the disk, the last is what is read. */
  versions: Buffer[];
  /** Bytes written since the last sync, successful or not: only these does the next one bring to the disk. */
  dirty: Set<number>;
  times: { begun: number; changed: number };
}

type NameChange = { readonly path: string; readonly inode: Inode | undefined }[];

/** Bytes that a disk writes as one: smaller than a real disk's, so that small frames are torn too. */
const SECTOR = 16;

export const failure = (code: string): Error => Object.assign(new Error(`${code}: simulated`), { code });

/**
 * A disk in memory that can be full, fail to sync, and lose power after any operation. What was not synced is then there, or not, or in part:
 * by sector in files, by change in directories, in any order.
 */
export class FaultyFiles implements JournalFiles {
  /** Bytes that can still be written. */
  room = Number.POSITIVE_INFINITY;
  /** Syncs of files that fail from now on; what they were to bring to the disk is dropped, as Linux does it. */
  failingSyncs = 0;
  /** Operations until the power is cut. */
  cutAfter = Number.POSITIVE_INFINITY;
  now = 1_700_000_000_000;
  private names = new Map<string, Inode>();
  private durable = new Map<string, Inode>();
  private changes: NameChange[] = [];

  get isCut(): boolean {
    return this.cutAfter <= 0;
  }

  /** The disk after the power has come back. */
  powerCut(random: Random): FaultyFiles {
    const after = new FaultyFiles();
    after.now = this.now;
    const names = new Map(this.durable);
    for (const change of this.changes) if (random.uniform() < 0.5) apply(names, change);
    for (const [path, inode] of names) {
      const left: Inode = { ...inode, versions: [survivor(inode.versions, random)], dirty: new Set() };
      after.names.set(path, left);
      after.durable.set(path, left);
    }
    return after;
  }

  async list(directory: string): Promise<string[]> {
    await this.step();
    return [...this.names.keys()].flatMap((path) =>
      dirname(path) === directory ? [path.slice(directory.length + 1)] : [],
    );
  }

  async read(path: string): Promise<Buffer> {
    await this.step();
    return Buffer.from(content(this.found(path)));
  }

  async open(path: string): Promise<JournalFile> {
    await this.step();
    if (!this.names.has(path)) {
      const times = { begun: this.now, changed: this.now };
      this.change([{ path, inode: { versions: [Buffer.alloc(0)], dirty: new Set(), times } }]);
    }
    const inode = this.found(path);
    return {
      write: async (bytes, position) => {
        await this.step();
        const part = bytes.subarray(0, Math.min(bytes.length, this.room));
        const old = content(inode);
        const next = Buffer.alloc(Math.max(old.length, position + part.length));
        old.copy(next);
        next.set(part, position);
        this.room -= part.length;
        for (let at = 0; at < part.length; at++) inode.dirty.add(position + at);
        inode.versions.push(next);
        inode.times.changed = this.now;
        if (part.length < bytes.length) throw failure('ENOSPC');
      },
      truncate: async (length) => {
        await this.step();
        inode.versions.push(Buffer.from(content(inode).subarray(0, length)));
      },
      sync: async () => {
        await this.step();
        const dirty = inode.dirty;
        inode.dirty = new Set();
        if (this.failingSyncs > 0) {
          this.failingSyncs--;
          throw failure('EIO');
        }
        const now = content(inode);
        const before = inode.versions[0]!;
        const written = Buffer.from(now);
        for (let at = 0; at < now.length; at++) if (!dirty.has(at)) written[at] = before[at] ?? 0;
        inode.versions = written.equals(now) ? [now] : [written, now];
      },
      close: async () => {},
    };
  }

  async rename(from: string, to: string): Promise<void> {
    await this.step();
    const inode = this.found(from);
    this.change([
      { path: to, inode },
      { path: from, inode: undefined },
    ]);
  }

  async remove(path: string): Promise<void> {
    await this.step();
    this.found(path);
    this.change([{ path, inode: undefined }]);
  }

  async makeDirectory(): Promise<void> {
    await this.step();
  }

  async syncDirectory(): Promise<void> {
    await this.step();
    for (const change of this.changes.splice(0)) apply(this.durable, change);
  }

  async times(path: string): Promise<{ begun: number; changed: number }> {
    await this.step();
    return this.found(path).times;
  }

  async setChanged(path: string, time: number): Promise<void> {
    await this.step();
    this.found(path).times.changed = time;
  }

  private change(change: NameChange): void {
    apply(this.names, change);
    this.changes.push(change);
  }

  private found(path: string): Inode {
    const inode = this.names.get(path);
    if (!inode) throw failure('ENOENT');
    return inode;
  }

  /** The operation at which the power is cut has no effect any more. */
  private async step(): Promise<void> {
    await undefined;
    if (--this.cutAfter <= 0) throw failure('EIO');
  }
}

const content = (inode: Inode): Buffer => inode.versions.at(-1)!;

function apply(names: Map<string, Inode>, change: NameChange): void {
  for (const { path, inode } of change) {
    if (inode) names.set(path, inode);
    else names.delete(path);
  }
}

/** What a power cut leaves of a file: of every sector what one of the versions had there, zeros where that one was shorter. */
function survivor(versions: readonly Buffer[], random: Random): Buffer {
  const any = (): Buffer => versions[random.int(versions.length)]!;
  const out = Buffer.alloc(any().length);
  // Half of the time one version alone.
  const one = random.uniform() < 0.5 ? any() : undefined;
  for (let at = 0; at < out.length; at += SECTOR) {
    const from = one ?? any();
    out.set(from.subarray(at, Math.min(at + SECTOR, out.length)), at);
  }
  return out;
}
