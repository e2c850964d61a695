import type { Features } from './logistic.js';

/** Features of the event at hand; used again for the next. */
export class FeatureBuffer implements Features {
  count = 0;
  readonly hashes: Int32Array;
  readonly values: Float64Array;
  /** Which attribute a feature is a value of; 0 for an id. */
  readonly fields: Int32Array;

  /** @param most features that an event may have */
  constructor(most: number) {
    this.hashes = new Int32Array(most);
    this.values = new Float64Array(most);
    this.fields = new Int32Array(most);
  }

  put(hash: number, value: number, field: number): void {
    const at = this.count++;
    this.hashes[at] = hash;
    this.values[at] = value;
    this.fields[at] = field;
  }
}
