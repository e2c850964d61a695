import { timingSafeEqual } from 'node:crypto';
import { RecsysError } from '../../errors.js';
import type { StageContext } from '../../types.js';
import { FileWatch } from '../file-watch.js';
import { isValid, readKeys, type StoredKey } from './keys.js';
import { digest, type Token } from './token.js';

/** Compared with where no key has the id, so that the time an answer takes does not say which ids there are. */
const NOBODY = Buffer.alloc(32);

/**
 * The keys of a running service. Created and revoked ones count within a second: the file is read again when it has changed.
 * A file that can no longer be read, is damaged, or has become readable by others lets nobody in until it is put right.
 */
export class KeyRing {
  private keys = new Map<string, StoredKey>();
  private readonly watch: FileWatch;

  private constructor(
    readonly file: string,
    private readonly log: StageContext['log'],
    private readonly now: () => number,
  ) {
    this.watch = new FileWatch(file, () => this.reread(), now);
  }

  /** @throws what `readKeys` throws */
  static async open(file: string, log: StageContext['log'], now: () => number = Date.now): Promise<KeyRing> {
    const ring = new KeyRing(file, log, now);
    await ring.watch.begin();
    ring.take(await readKeys(file));
    return ring;
  }

  /** Keys that are accepted now. */
  get size(): number {
    return [...this.keys.values()].filter((key) => isValid(key, this.now())).length;
  }

  /** The key a token is the secret of; undefined where it is unknown, wrong, expired or revoked. */
  async find(token: Token): Promise<StoredKey | undefined> {
    await this.watch.look();
    const key = this.keys.get(token.id);
    const expected = key === undefined ? NOBODY : Buffer.from(key.sha256, 'hex');
    const same = timingSafeEqual(Buffer.from(digest(token.secret), 'hex'), expected);
    return same && key !== undefined && isValid(key, this.now()) ? key : undefined;
  }

  private async reread(): Promise<void> {
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
