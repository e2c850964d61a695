import { stat } from 'node:fs/promises';

const LOOK_MS = 1000;

/** Looks at a file at most once a second, while it is asked for, and has it read again when it has changed. */
export class FileWatch {
  private seen = '';
  private lookedAt = Number.NEGATIVE_INFINITY;
  private looking: Promise<void> | undefined;

  /** @param changed called once for each change, that the file is gone included; must not throw */
  constructor(
    private readonly file: string,
    private readonly changed: () => Promise<void>,
    private readonly now: () => number,
  ) {}

  /** Takes the file as it is now for one that was read. */
  async begin(): Promise<void> {
    this.lookedAt = this.now();
    this.seen = await fingerprint(this.file);
  }

  /** Resolves when the newest change, of up to a second ago, has been read. */
  async look(): Promise<void> {
    if (this.now() - this.lookedAt < LOOK_MS) return;
    this.looking ??= this.compare().finally(() => {
      this.looking = undefined;
    });
    await this.looking;
  }

  private async compare(): Promise<void> {
    const seen = await fingerprint(this.file);
    this.lookedAt = this.now();
    if (seen === this.seen) return;
    this.seen = seen;
    await this.changed();
  }
}

/** Changes with a file's content or permissions. */
async function fingerprint(file: string): Promise<string> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(file);
    return [ino, size, mtimeMs, ctimeMs].join(' ');
  } catch (error) {
    return String(error);
  }
}
