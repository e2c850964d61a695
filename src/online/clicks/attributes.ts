import type { FeatureTable } from '../../types.js';
import type { FeatureBuffer } from './buffer.js';
import { hashOf } from './hash.js';

/** Standardised numbers are cut off here: one outlier must not move all of its event's weights. */
const FARTHEST = 5;

/** The attributes of one side of the catalogue as features, hashed once. */
export class AttributeFeatures {
  /** Attributes by number. */
  readonly names: readonly string[];
  /** Most features of one row. */
  readonly most: number;
  private readonly tokenHashes: Int32Array;
  private readonly tokenFields: Int32Array;
  private readonly numberHashes: Int32Array;

  constructor(
    side: 'user' | 'item',
    private readonly table: FeatureTable,
  ) {
    const { tokenNames, numberNames, width } = table;
    const attributes = tokenNames.map((name) => name.slice(0, Math.max(0, name.search(/[=#]/))));
    this.names = [...new Set([...numberNames, ...attributes.slice(1)])];
    this.tokenHashes = Int32Array.from(tokenNames, (name) => hashOf(`${side}.${name}`));
    this.tokenFields = Int32Array.from(attributes, (name) => this.names.indexOf(name));
    this.numberHashes = Int32Array.from(numberNames, (name) => hashOf(`${side}.${name}`));
    this.most = width + numberNames.length;
  }

  /** Puts the features of a row into the buffer; of row 0, the unknown one, there are none. */
  put(row: number, into: FeatureBuffer): void {
    const { rows, width, tokens, numbers, numberNames } = this.table;
    if (row === 0 || row >= rows) return;
    for (let i = row * width; i < (row + 1) * width; i++) {
      const token = tokens[i]!;
      if (token > 0) into.put(this.tokenHashes[token]!, 1, this.tokenFields[token]!);
    }
    const count = numberNames.length;
    for (let i = 0; i < count; i++) {
      const value = numbers[row * count + i]!;
      if (value !== 0) into.put(this.numberHashes[i]!, Math.max(-FARTHEST, Math.min(FARTHEST, value)), i);
    }
  }
}
