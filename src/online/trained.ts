import { writeEventHash } from '../data/events.js';
import type { OnlineEvent } from './events.js';

const FIRST_ROOM = 1024;

/**
 * Hashes of the events learned while serving: a served checkpoint carries them like a trained one, so that `evaluate`
 * refuses it on a test set whose rows came in as events.
 */
export class TrainedEvents {
  private hashes = new BigUint64Array(FIRST_ROOM);
  private words = new Uint32Array(this.hashes.buffer);
  private count = 0;

  add(event: OnlineEvent): void {
    if (this.count === this.hashes.length) {
      const longer = new BigUint64Array(2 * this.count);
      longer.set(this.hashes);
      this.hashes = longer;
      this.words = new Uint32Array(longer.buffer);
    }
    writeEventHash(this.words, 2 * this.count++, event);
  }

  /** These and `earlier` ones, sorted, each once. */
  merged(earlier: BigUint64Array): BigUint64Array {
    const all = new BigUint64Array(earlier.length + this.count);
    all.set(earlier);
    all.set(this.hashes.subarray(0, this.count), earlier.length);
    all.sort();
    let kept = 0;
    for (let i = 0; i < all.length; i++) if (i === 0 || all[i] !== all[i - 1]) all[kept++] = all[i]!;
    return all.slice(0, kept);
  }
}
