import type { ParameterInits } from '../../compute/parameters.js';
import type { Catalogue, Contributions, Query } from '../../types.js';
import { PlainEntities } from './entities.js';
import type { Gradients, PlainModel } from './plain-model.js';

/** As `recencyMean` has it. */
const NO_EVENT = 1e-6;

/** The newest items of a history that count, and the share of each in the mean. */
interface Mean {
  readonly items: number[];
  /** How many events came after each, and itself: rows of `recency`. */
  readonly lags: number[];
  readonly shares: number[];
}

/** `linear` over arrays: h = Σ_t a_t in_{i_t} / Σ_t a_t + user, score(j) = bias_j + out_j · h. */
export class PlainLinear implements PlainModel {
  private readonly input: PlainEntities;
  private readonly output: PlainEntities;
  private readonly users: PlainEntities;
  private readonly recency: Float32Array;
  private readonly bias: Float32Array;

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
  }

  state(query: Query): Float64Array {
    const { items, shares } = this.mean(query);
    const state = new Float64Array(this.width);
    this.input.sum(state, items, shares);
    this.users.sum(state, [query.user], [1]);
    return state;
  }

  scores(state: Float64Array): Float32Array {
    const scores = this.bias.slice();
    this.output.addProducts(state, scores);
    scores[0] = -1e9;
    return scores;
  }

  logits(state: Float64Array, items: ArrayLike<number>): Float64Array {
    const logits = this.output.products(state, items);
    for (let i = 0; i < logits.length; i++) logits[i] = logits[i]! + this.bias[items[i]!]!;
    return logits;
  }

  contributions(query: Query, items: Int32Array): Contributions {
    const mean = this.mean(query);
    const events = mean.lags.map((lag) => query.items.length - lag).reverse();
    const values = new Float32Array(events.length * items.length);
    for (const [t, item] of mean.items.entries()) {
      const part = new Float64Array(this.width);
      this.input.sum(part, [item], [mean.shares[t]!]);
      values.set(this.output.products(part, items), (events.length - 1 - t) * items.length);
    }
    return { events, values };
  }

  pull(items: ArrayLike<number>, coefficients: ArrayLike<number>): Float64Array {
    const gradient = new Float64Array(this.width);
    this.output.sum(gradient, items, coefficients);
    return gradient;
  }

  backward(
    query: Query,
    state: Float64Array,
    items: ArrayLike<number>,
    coefficients: ArrayLike<number>,
    into: Gradients,
  ): void {
    const bias = into.get('output.bias')!;
    for (let i = 0; i < items.length; i++) bias.addOne(items[i]!, coefficients[i]!);
    this.output.backward(state, items, coefficients, into);
    const ofState = this.pull(items, coefficients);
    this.users.backward(ofState, [query.user], [1], into);
    const mean = this.mean(query);
    this.input.backward(ofState, mean.items, mean.shares, into);
    // A weight is the exponential of its logarithm: ∂h/∂log a_t = share_t · (in_t − mean).
    const products = this.input.products(ofState, mean.items);
    const middle = products.reduce((sum, product, t) => sum + mean.shares[t]! * product, 0);
    const recency = into.get('recency')!;
    for (const [t, lag] of mean.lags.entries())
      recency.addOne(lag, mean.shares[t]! * (products[t]! - middle));
  }

  private mean({ items }: Query): Mean {
    const mean: Mean = { items: [], lags: [], shares: [] };
    let total = NO_EVENT;
    for (let lag = 1; lag <= items.length && lag <= this.length; lag++) {
      const item = items[items.length - lag]!;
      if (item === 0) continue;
      const weight = Math.exp(this.recency[lag]!);
      mean.items.push(item);
      mean.lags.push(lag);
      mean.shares.push(weight);
      total += weight;
    }
    for (let t = 0; t < mean.shares.length; t++) mean.shares[t] = mean.shares[t]! / total;
    return mean;
  }
}
