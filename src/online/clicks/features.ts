import { RecsysError } from '../../errors.js';
import type { Catalogue } from '../../types.js';
import { AttributeFeatures } from './attributes.js';
import { FeatureBuffer } from './buffer.js';
import { absorbed, crossed, hashOf, mixed } from './hash.js';
import type { Features } from './logistic.js';

/** Where the features of each part stand in the buffer, one part after the other. */
const PARTS = ['user', 'user.*', 'item', 'item.*'] as const;
const CONSTANT = hashOf('constant');

/** One side of a cross: a part, and which of its attributes; −1: all. */
interface Selection {
  readonly part: number;
  readonly field: number;
}

/**
 * What the click model reads of a user and an item: a constant, the two ids, the attributes of both as the catalogue has them, and the crosses that
 * are configured. The hash of a cross is made from those of its two features.
 */
export class ClickFeatures {
  private readonly users: AttributeFeatures;
  private readonly items: AttributeFeatures;
  private readonly crosses: readonly (readonly [Selection, Selection])[];
  private readonly buffer: FeatureBuffer;
  /** [parts + 1] where each part begins. */
  private readonly begins = new Int32Array(PARTS.length + 1);
  private readonly itemHashes: Int32Array;
  private readonly hashed: Uint8Array;
  /** Rows of users with attributes. */
  private readonly rows = new Map<string, number>();
  private readonly userState = absorbed('user=');

  /** @throws RecsysError CONFIG_INVALID where a cross names an attribute that nobody has */
  constructor(
    private readonly catalogue: Pick<Catalogue, 'users' | 'items' | 'userFeatures' | 'itemFeatures'>,
    crosses: readonly (readonly [string, string])[],
  ) {
    const { users, items, userFeatures, itemFeatures } = catalogue;
    this.users = new AttributeFeatures('user', userFeatures);
    this.items = new AttributeFeatures('item', itemFeatures);
    if (this.users.most > 0) for (let row = 1; row < users.length; row++) this.rows.set(users[row]!, row);
    this.itemHashes = new Int32Array(items.length);
    this.hashed = new Uint8Array(items.length);
    this.crosses = crosses.map(([a, b]) => {
      const [first, second] = [this.selection(a), this.selection(b)];
      return first.part <= second.part ? [first, second] : [second, first];
    });
    const most = [1, this.users.most, 1, this.items.most];
    const pairs = this.crosses.reduce((sum, [a, b]) => sum + most[a.part]! * most[b.part]!, 0);
    this.buffer = new FeatureBuffer(1 + most.reduce((sum, n) => sum + n, 0) + pairs);
  }

  /** The features of a user and a row of the catalogue, until the next call. */
  of(user: string, item: number): Features {
    const { buffer, begins } = this;
    buffer.count = 0;
    buffer.put(CONSTANT, 1, 0);
    begins[0] = 1;
    buffer.put(mixed(absorbed(user, this.userState)), 1, 0);
    begins[1] = 2;
    if (this.users.most > 0) this.users.put(this.rows.get(user) ?? 0, buffer);
    begins[2] = buffer.count;
    buffer.put(this.itemHash(item), 1, 0);
    begins[3] = buffer.count;
    this.items.put(item, buffer);
    begins[4] = buffer.count;
    for (let c = 0; c < this.crosses.length; c++) this.cross(this.crosses[c]![0], this.crosses[c]![1]);
    return buffer;
  }

  private cross(a: Selection, b: Selection): void {
    const { buffer, begins } = this;
    const { hashes, values } = buffer;
    const within = a.part === b.part;
    for (let i = begins[a.part]!; i < begins[a.part + 1]!; i++) {
      if (!this.has(a, i)) continue;
      for (let j = begins[b.part]!; j < begins[b.part + 1]!; j++) {
        if (!this.has(b, j)) continue;
        let [first, second] = [hashes[i]!, hashes[j]!];
        if (within) {
          // Each pair once, under the same hash in whatever order a row has its attributes.
          if (i === j || (j < i && this.has(a, j) && this.has(b, i))) continue;
          if (first > second) [first, second] = [second, first];
        }
        buffer.put(crossed(first, second), values[i]! * values[j]!, 0);
      }
    }
  }

  private has({ field }: Selection, at: number): boolean {
    return field < 0 || this.buffer.fields[at] === field;
  }

  /** Made when it is first asked for: items come while they are served. */
  private itemHash(item: number): number {
    if (this.hashed[item] === 0) {
      this.itemHashes[item] = hashOf(`item=${this.catalogue.items[item]!}`);
      this.hashed[item] = 1;
    }
    return this.itemHashes[item]!;
  }

  private selection(name: string): Selection {
    const whole = PARTS.indexOf(name as (typeof PARTS)[number]);
    if (whole >= 0) return { part: whole, field: -1 };
    const [side] = name.split('.', 1) as ['user' | 'item'];
    const { names } = side === 'user' ? this.users : this.items;
    const attribute = name.slice(side.length + 1);
    const field = names.indexOf(attribute);
    if (field < 0)
      throw new RecsysError('CONFIG_INVALID', `clicks.crosses: ${side}s have no attribute “${attribute}”`, {
        remedy: `Attributes of ${side}s in the model served: ${names.join(', ') || 'none'}.`,
      });
    return { part: side === 'user' ? 1 : 3, field };
  }
}
