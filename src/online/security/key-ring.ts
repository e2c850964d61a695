import { timingSafeEqual } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { RecsysError } from '../../errors.js';
import type { StageContext } from '../../types.js';
import { isValid, readKeys, type StoredKey } from './keys.js';
import { digest, type Token } from './token.js';

/** How often the file is looked at, while requests come. */
const LOOK_MS = 1000;
/** Compared with where no key has the id, so that the time an answer takes does not say which ids there are. */
const NOBODY = Buffer.alloc(32);

/**
 * The keys of a running service. Created and revoked ones count within a second: the file is read again when it has changed.
 * A file that can no longer be read, is damaged, or has become readable by others lets nobody in until it is put right.
 */
export class KeyRing {
  private keys = new Map<string, StoredKey>();
  private seen = '';
  private lookedAt = 0;
  private looking: Promise<void> | undefined;

  private constructor(
    readonly file: string,
    private readonly log: StageContext['log'],
    private readonly now: () => number,
  ) {}

  /** @throws what `readKeys` throws */
  static async open(file: string, log: StageContext['log'], now: () => number = Date.now): Promise<KeyRing> {
    const ring = new KeyRing(file, log, now);
    ring.lookedAt = now();
    ring.seen = await fingerprint(file);
    ring.take(await readKeys(file));
    return ring;
  }

  /** Keys that are accepted now. */
  get size(): number {
    return [...this.keys.values()].filter((key) => isValid(key, this.now())).length;
  }

  /** The key a token is the secret of; undefined where it is unknown, wrong, expired or revoked. */
  async find(token: Token): Promise<StoredKey | undefined> {
    if (this.now() - this.lookedAt >= LOOK_MS) {
      this.looking ??= this.look().finally(() => {
        this.looking = undefined;
      });
      await this.looking;
    }
    const key = this.keys.get(token.id);
    const expected = key === undefined ? NOBODY : Buffer.from(key.sha256, 'hex');
    const same = timingSafeEqual(Buffer.from(digest(token.secret), 'hex'), expected);
    return same && key !== undefined && isValid(key, this.now()) ? key : undefined;
  }

  private async look(): Promise<void> {
    const seen = await fingerprint(this.file);
    this.lookedAt = this.now();
    if (seen === this.seen) return;
    this.seen = seen;
    try {
      this.take(await readKeys(this.file));
      this.log('info', `the key file has changed: ${this.size} keys are valid`);
    } catch (error) {
      this.keys = new Map();
      const reason = error instanceof RecsysError ? `${error.message}. ${error.remedy}` : String(error);
      this.log('warn', `no key is valid until its file can be read: ${reason}`);
    }
  }

  private take(keys: readonly StoredKey[]): void {
    this.keys = new Map(keys.map((key) => [key.id, key]));
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
