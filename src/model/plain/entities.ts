import type { ParameterInits } from '../../compute/parameters.js';
import { fits, PlainMemory } from '../../compute/plain/memory.js';
import type { FeatureTable } from '../../types.js';
import type { Gradients } from './plain-model.js';

/** Rows of numbers: an embedding table, or the vectors of attributes. */
interface Rows {
  readonly name: string;
  readonly data: Float32Array;
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

  /** Adds Σ_i c_i v_i to `into` [width]. */
  sum(into: Float64Array, entities: ArrayLike<number>, coefficients: ArrayLike<number>): void {
    const { ids, width, memory } = this;
    const total = memory?.zeros(width);
    const add = (data: Float32Array, row: number, c: number): void => {
      if (memory) memory.axpy(c, data, row * width, total!, 0, width);
      else axpy(into, c, data, row * width, width);
    };
    if (ids) for (let i = 0; i < entities.length; i++) add(ids.data, entities[i]!, coefficients[i]!);
    this.eachAttribute(entities, coefficients, ({ data }, row, c) => add(data, row, c));
    if (total) for (let i = 0; i < width; i++) into[i] = into[i]! + total[i]!;
  }

  /** v_i · x for each entity. */
  products(x: Float64Array, entities: ArrayLike<number>): Float64Array {
    const { ids } = this;
    const out = new Float64Array(entities.length);
    const of = this.attributeProducts(x);
    if (ids) {
      const product = this.productsWith(x);
      for (let i = 0; i < out.length; i++) out[i] = product(ids.data, entities[i]!);
    }
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
  backward(
    x: Float64Array,
    entities: ArrayLike<number>,
    coefficients: ArrayLike<number>,
    into: Gradients,
  ): void {
    const { ids } = this;
    const vector = this.memory?.load(x) ?? x;
    if (ids) {
      const gradients = into.get(ids.name)!;
      for (let i = 0; i < entities.length; i++) gradients.add(entities[i]!, coefficients[i]!, vector);
    }
    this.eachAttribute(entities, coefficients, ({ name }, row, c) => into.get(name)!.add(row, c, vector));
  }

  /** x · row of a table. */
  private productsWith(x: Float64Array): (data: Float32Array, row: number) => number {
    const { memory, width } = this;
    if (!memory) return (data, row) => dot(x, data, row * width, width);
    const vector = memory.load(x);
    return (data, row) => memory.dot(vector, data, row * width);
  }

  /** The part of the attributes in v · x, for any entity. */
  private attributeProducts(x: Float64Array): ((entity: number) => number) | undefined {
    const { tokens, numbers, width, features } = this;
    if (!tokens && !numbers) return undefined;
    const product = this.productsWith(x);
    const all = (of: Rows | undefined): Float64Array =>
      Float64Array.from({ length: (of?.data.length ?? 0) / width }, (_, row) => product(of!.data, row));
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
  private eachAttribute(
    entities: ArrayLike<number>,
    coefficients: ArrayLike<number>,
    visit: (of: Rows, row: number, coefficient: number) => void,
  ): void {
    const { tokens, numbers, features, width } = this;
    if (tokens) {
      const shares = new Map<number, number>();
      for (let i = 0; i < entities.length; i++) {
        const from = entities[i]! * features.width;
        const own = features.tokens.subarray(from, from + features.width).filter((token) => token !== 0);
        for (const token of own) shares.set(token, (shares.get(token) ?? 0) + coefficients[i]! / own.length);
      }
      for (const [token, share] of shares) visit(tokens, token, share);
    }
    if (numbers) {
      const count = numbers.data.length / width;
      for (let n = 0; n < count; n++) {
        let share = 0;
        for (let i = 0; i < entities.length; i++)
          share += coefficients[i]! * features.numbers[entities[i]! * count + n]!;
        visit(numbers, n, share);
      }
    }
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
