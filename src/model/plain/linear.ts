import type { ParameterInits } from '../../compute/parameters.js';
import type { Catalogue, Contributions, Query } from '../../types.js';
import { PlainEntities } from './entities.js';
import type { Gradients, PlainModel } from './plain-model.js';

/** As `recencyMean` has it. */
const NO_EVENT = 1e-6;
const ONE = Float64Array.of(1);

/** The newest items of a history that count, and the share of each in the mean. */
interface Mean {
  readonly items: Int32Array;
  /** How many events came after each, and itself: rows of `recency`. */
  readonly lags: Int32Array;
  readonly shares: Float64Array;
}

/** `linear` over arrays: h = Σ_t a_t in_{i_t} / Σ_t a_t + user, score(j) = bias_j + out_j · h. */
export class PlainLinear implements PlainModel {
  private readonly input: PlainEntities;
  private readonly output: PlainEntities;
  private readonly users: PlainEntities;
  private readonly recency: Float32Array;
  private readonly bias: Float32Array;
  /** Used again for every event: making arrays takes longer than filling them. */
  private readonly newest: Mean;
  private readonly products: Float64Array;
  private readonly ofState: Float64Array;

  constructor(
    inits: ParameterInits,
    catalogue: Catalogue,
    private readonly width: number,
    private readonly length: number,
  ) {
    const { itemFeatures, userFeatures } = catalogue;
    this.input = new PlainEntities(inits, 'item', itemFeatures, width);
    this.output = new PlainEntities(inits, 'output', itemFeatures, width);
    this.users = new PlainEntities(inits, 'user', userFeatures, width);
    this.recency = inits.get('recency')!.data;
    this.bias = inits.get('output.bias')!.data;
    this.newest = {
      items: new Int32Array(length),
      lags: new Int32Array(length),
      shares: new Float64Array(length),
    };
    this.products = new Float64Array(length);
    this.ofState = new Float64Array(width);
  }

  state(query: Query): Float64Array {
    const { items, shares } = this.mean(query);
    const state = new Float64Array(this.width);
    this.input.sum(state, items, shares);
    if (this.users.present) this.users.sum(state, Int32Array.of(query.user), ONE);
    return state;
  }

  scores(state: Float64Array): Float32Array {
    const scores = this.bias.slice();
    this.output.addProducts(state, scores);
    scores[0] = -1e9;
    return scores;
  }

  logits(state: Float64Array, items: Int32Array): Float64Array {
    const logits = this.output.products(state, items);
    for (let i = 0; i < logits.length; i++) logits[i] = logits[i]! + this.bias[items[i]!]!;
    return logits;
  }

  vectors(items: Int32Array): Float32Array {
    const rows = new Float32Array(items.length * (this.width + 1));
    const vector = new Float64Array(this.width);
    for (const [i, item] of items.entries()) {
      this.output.sum(vector.fill(0), Int32Array.of(item), ONE);
      rows.set(vector, i * (this.width + 1));
      rows[(i + 1) * (this.width + 1) - 1] = this.bias[item]!;
    }
    return rows;
  }

  contributions(query: Query, items: Int32Array): Contributions {
    const mean = this.mean(query);
    const events = Array.from(mean.lags, (lag) => query.items.length - lag).reverse();
    const values = new Float32Array(events.length * items.length);
    for (const [t, item] of mean.items.entries()) {
      const part = new Float64Array(this.width);
      this.input.sum(part, Int32Array.of(item), Float64Array.of(mean.shares[t]!));
      values.set(this.output.products(part, items), (events.length - 1 - t) * items.length);
    }
    return { events, values };
  }

  pull(items: Int32Array, coefficients: Float64Array): Float64Array {
    const gradient = new Float64Array(this.width);
    this.output.sum(gradient, items, coefficients);
    return gradient;
  }

  backward(
    query: Query,
    state: Float64Array,
    items: Int32Array,
    coefficients: Float64Array,
    into: Gradients,
  ): void {
    const bias = into.get('output.bias')!;
    for (let i = 0; i < items.length; i++) bias.addOne(items[i]!, coefficients[i]!);
    this.output.backward(state, items, coefficients, into);
    const ofState = this.ofState.fill(0);
    this.output.sum(ofState, items, coefficients);
    if (this.users.present) this.users.backward(ofState, Int32Array.of(query.user), ONE, into);
    const mean = this.mean(query);
    this.input.backward(ofState, mean.items, mean.shares, into);
    // A weight is the exponential of its logarithm: ∂h/∂log a_t = share_t · (in_t − mean).
    const products = this.input.products(ofState, mean.items, this.products.subarray(0, mean.items.length));
    const { lags, shares } = mean;
    let middle = 0;
    for (let t = 0; t < shares.length; t++) middle += shares[t]! * products[t]!;
    const recency = into.get('recency')!;
    for (let t = 0; t < shares.length; t++) recency.addOne(lags[t]!, shares[t]! * (products[t]! - middle));
  }

  /** Valid until the next call. */
  private mean({ items }: Query): Mean {
    const { newest, recency } = this;
    const most = Math.min(items.length, this.length);
    let count = 0;
    let total = NO_EVENT;
    for (let lag = 1; lag <= most; lag++) {
      const item = items[items.length - lag]!;
      if (item === 0) continue;
      const weight = Math.exp(recency[lag]!);
      newest.items[count] = item;
      newest.lags[count] = lag;
      newest.shares[count++] = weight;
      total += weight;
    }
    for (let t = 0; t < count; t++) newest.shares[t] = newest.shares[t]! / total;
    if (count === this.length) return newest;
    return {
      items: newest.items.subarray(0, count),
      lags: newest.lags.subarray(0, count),
      shares: newest.shares.subarray(0, count),
    };
  }
}
