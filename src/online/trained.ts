import { SPLIT } from '../data/dataset.js';
import { eventHashes } from '../data/events.js';
import type { Catalogue } from '../types.js';
import type { OnlineEvent } from './events.js';

/**
 * Hashes of the events learned while serving: a served checkpoint carries them like a trained one, so that `evaluate`
 * refuses it on a test set whose rows came in as events.
 */
export class TrainedEvents {
  private readonly chunks: BigUint64Array[] = [];

  constructor(private readonly catalogue: Catalogue) {}

  add(events: readonly OnlineEvent[]): void {
    const n = events.length;
    if (n === 0) return;
    const first = (pick: (event: OnlineEvent) => string): string[] => ['', ...events.map(pick)];
    const numbers = Int32Array.from(events, (_, i) => i + 1);
    const { behaviours } = this.catalogue;
    this.chunks.push(
      eventHashes(
        {
          catalogue: { ...this.catalogue, users: first((e) => e.user), items: first((e) => e.item) },
          interactions: {
            length: n,
            user: numbers,
            item: numbers,
            time: Float64Array.from(events, (e) => e.time),
            behaviour: Uint8Array.from(events, (e) => behaviours.indexOf(e.behaviour)),
            value: new Float32Array(n),
            split: new Uint8Array(n).fill(SPLIT.train),
            offsets: Int32Array.from({ length: n + 2 }, (_, u) => Math.max(0, u - 1)),
          },
        },
        'train',
      ),
    );
  }

  /** These and `earlier` ones, sorted, each once. */
  merged(earlier: BigUint64Array): BigUint64Array {
    const total = this.chunks.reduce((sum, chunk) => sum + chunk.length, earlier.length);
    const all = new BigUint64Array(total);
    all.set(earlier);
    let at = earlier.length;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    all.sort();
    return all.filter((hash, i) => i === 0 || hash !== all[i - 1]);
  }
}
