import type { ParameterInits } from '../../compute/parameters.js';
import { fits, PlainMemory } from '../../compute/plain/memory.js';
import type { FeatureTable } from '../../types.js';
import type { Gradients } from './plain-model.js';

/** Rows of numbers: an embedding table, or the vectors of attributes. */
interface Rows {
  readonly name: string;
  readonly data: Float32Array;
}

/** Rows of a table, and how much each counts. */
interface Counted {
  readonly of: Rows;
  readonly rows: Int32Array;
  readonly scales: Float64Array;
}

/**
 * What `EntityEncoder` computes, over arrays: the vector of an entity is its own row, the mean of its tokens' rows and the linear map of its numbers.
 * Since all of that is linear, sums and products over many entities read each attribute's vector once, and nothing is kept that an update could spoil.
 */
export class PlainEntities {
  private readonly ids: Rows | undefined;
  private readonly tokens: Rows | undefined;
  private readonly numbers: Rows | undefined;
  /** Where all of them are, and their widths fit it. */
  private readonly memory: PlainMemory | undefined;

  /** @param prefix of the parameters' names; those that the model lacks add nothing */
  constructor(
    inits: ParameterInits,
    prefix: string,
    private readonly features: FeatureTable,
    private readonly width: number,
  ) {
    const rowsOf = (name: string): Rows | undefined => {
      const init = inits.get(`${prefix}.${name}`);
      return init && { name: `${prefix}.${name}`, data: init.data };
    };
    this.ids = rowsOf('embedding');
    this.tokens = rowsOf('tokens');
    this.numbers = rowsOf('numbers');
    const first = this.ids ?? this.tokens ?? this.numbers;
    this.memory = first && fits(width) ? PlainMemory.of(first.data) : undefined;
  }

  /** Whether there is anything to add. */
  get present(): boolean {
    return (this.ids ?? this.tokens ?? this.numbers) !== undefined;
  }

  /** Adds Σ_i c_i v_i to `into` [width]. */
  sum(into: Float64Array, entities: Int32Array, coefficients: Float64Array): void {
    const { ids, width, memory } = this;
    const total = memory?.zeros(width);
    const add = (data: Float32Array, rows: Int32Array, scales: Float64Array): void => {
      if (memory) memory.gather(data, rows, scales, total!);
      else for (let k = 0; k < rows.length; k++) axpy(into, scales[k]!, data, rows[k]! * width, width);
    };
    if (ids) add(ids.data, entities, coefficients);
    for (const { of, rows, scales } of this.attributes(entities, coefficients)) add(of.data, rows, scales);
    if (total) for (let i = 0; i < width; i++) into[i] = into[i]! + total[i]!;
  }

  /** v_i · x for each entity, into `out`, which is given back. */
  products(
    x: Float64Array,
    entities: Int32Array,
    out: Float64Array = new Float64Array(entities.length),
  ): Float64Array {
    const { ids, memory, width } = this;
    out.fill(0);
    const of = this.attributeProducts(x);
    if (ids && memory) memory.dots(x, ids.data, entities, out);
    else if (ids) for (let i = 0; i < out.length; i++) out[i] = dot(x, ids.data, entities[i]! * width, width);
    if (of) for (let i = 0; i < out.length; i++) out[i] = out[i]! + of(entities[i]!);
    return out;
  }

  /** Adds v_i · x of every entity to `into` [rows]. */
  addProducts(x: Float64Array, into: Float32Array): void {
    const { ids, width, memory } = this;
    const of = this.attributeProducts(x);
    if (ids) {
      const { data } = ids;
      const made = memory?.products(x, data);
      if (made) for (let i = 0; i < into.length; i++) into[i] = into[i]! + made[i]!;
      else for (let i = 0; i < into.length; i++) into[i] = into[i]! + dot(x, data, i * width, width);
    }
    if (of) for (let i = 0; i < into.length; i++) into[i] = into[i]! + of(i);
  }

  /** Adds the gradients of Σ_i c_i v_i · x. */
  backward(x: Float64Array, entities: Int32Array, coefficients: Float64Array, into: Gradients): void {
    const { ids } = this;
    if (ids) into.get(ids.name)!.add(entities, coefficients, x);
    for (const { of, rows, scales } of this.attributes(entities, coefficients))
      into.get(of.name)!.add(rows, scales, x);
  }

  /** The part of the attributes in v · x, for any entity. */
  private attributeProducts(x: Float64Array): ((entity: number) => number) | undefined {
    const { tokens, numbers, width, features } = this;
    if (!tokens && !numbers) return undefined;
    const { memory } = this;
    const all = (of: Rows | undefined): Float64Array => {
      if (!of) return new Float64Array(0);
      if (memory) return Float64Array.from(memory.products(x, of.data));
      return Float64Array.from({ length: of.data.length / width }, (_, row) =>
        dot(x, of.data, row * width, width),
      );
    };
    const ofToken = all(tokens);
    const ofNumber = all(numbers);
    const count = ofNumber.length;
    return (entity) => {
      let sum = 0;
      let present = 0;
      if (tokens)
        for (let a = entity * features.width; a < (entity + 1) * features.width; a++) {
          const token = features.tokens[a]!;
          if (token === 0) continue;
          present++;
          sum += ofToken[token]!;
        }
      if (present > 1) sum /= present;
      for (let n = 0; n < count; n++) sum += features.numbers[entity * count + n]! * ofNumber[n]!;
      return sum;
    };
  }

  /** Each attribute of the entities once, with how much it counts in Σ_i c_i v_i. */
  private attributes(entities: Int32Array, coefficients: Float64Array): Counted[] {
    const { tokens, numbers, features, width } = this;
    const found: Counted[] = [];
    if (tokens) {
      const shares = new Map<number, number>();
      for (let i = 0; i < entities.length; i++) {
        const from = entities[i]! * features.width;
        const own = features.tokens.subarray(from, from + features.width).filter((token) => token !== 0);
        for (const token of own) shares.set(token, (shares.get(token) ?? 0) + coefficients[i]! / own.length);
      }
      found.push({
        of: tokens,
        rows: Int32Array.from(shares.keys()),
        scales: Float64Array.from(shares.values()),
      });
    }
    if (numbers) {
      const count = numbers.data.length / width;
      const rows = Int32Array.from({ length: count }, (_, n) => n);
      const share = (n: number): number => {
        let sum = 0;
        for (let i = 0; i < entities.length; i++)
          sum += coefficients[i]! * features.numbers[entities[i]! * count + n]!;
        return sum;
      };
      found.push({ of: numbers, rows, scales: Float64Array.from(rows, share) });
    }
    return found;
  }
}

/** x · data[from … from + width). Four sums at a time: each alone would wait for itself. */
function dot(x: Float64Array, data: Float32Array, from: number, width: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  const whole = width - (width % 4);
  let i = 0;
  for (; i < whole; i += 4) {
    a += x[i]! * data[from + i]!;
    b += x[i + 1]! * data[from + i + 1]!;
    c += x[i + 2]! * data[from + i + 2]!;
    d += x[i + 3]! * data[from + i + 3]!;
  }
  for (; i < width; i++) a += x[i]! * data[from + i]!;
  return a + b + (c + d);
}

/** into += scale · data[from … from + width) */
function axpy(into: Float64Array, scale: number, data: Float32Array, from: number, width: number): void {
  for (let i = 0; i < width; i++) into[i] = into[i]! + scale * data[from + i]!;
}
