import * as tf from '@tensorflow/tfjs-core';
import { gatherRows } from '../compute/gather.js';
import { embeddingBag } from '../compute/ops/embedding-bag.js';
import { embeddingLookup, type ParameterInits, type Params } from '../compute/parameters.js';
import type { Random } from '../random.js';
import type { Catalogue, FeatureTable, TensorMap } from '../types.js';
import { embedding, normal } from './initial.js';

export interface EntityOptions {
  readonly kind: 'item' | 'user';
  /** Prefix of the parameters' names; default: the kind. */
  readonly prefix?: string;
  /** Learn a vector for each id. */
  readonly ids: boolean;
  /** Add vectors computed from the attributes. */
  readonly attributes: boolean;
}

/**
 * Vectors of items or users: id embedding + mean of the attribute tokens' embeddings + linear map of the numbers.
 * Unknown entities (row 0 or a new one) still get what their attributes say.
 */
export class EntityEncoder {
  private readonly useTokens: boolean;
  private readonly useNumbers: boolean;
  private readonly prefix: string;

  constructor(
    private readonly options: EntityOptions,
    private readonly rows: number,
    private readonly width: number,
    private readonly features: FeatureTable,
  ) {
    this.prefix = options.prefix ?? options.kind;
    this.useTokens = options.attributes && features.tokenNames.length > 1 && features.width > 0;
    this.useNumbers = options.attributes && features.numberNames.length > 0;
  }

  init(rng: Random, into: ParameterInits): void {
    const { kind, ids } = this.options;
    const prefix = this.prefix;
    const deviation = Math.sqrt(1 / this.width) * 0.5;
    if (ids) {
      const grows = kind === 'item' ? 'items' : 'users';
      into.set(`${prefix}.embedding`, embedding(rng, this.rows, this.width, grows, { deviation }));
    }
    if (this.useTokens) {
      const grows = kind === 'item' ? 'itemTokens' : 'userTokens';
      const rows = this.features.tokenNames.length;
      into.set(`${prefix}.tokens`, embedding(rng, rows, this.width, grows, { deviation, table: false }));
    }
    if (this.useNumbers) {
      const count = this.features.numberNames.length;
      into.set(`${prefix}.numbers`, normal(rng, [count, this.width], deviation / Math.sqrt(count)));
    }
  }

  constants(into: TensorMap): void {
    const { kind } = this.options;
    const { rows, width, tokens, numbers, numberNames } = this.features;
    if (this.useTokens) {
      into.set(`${kind}.features.tokens`, { dtype: 'I32', shape: [rows, width], data: tokens });
    }
    if (this.useNumbers) {
      into.set(`${kind}.features.numbers`, {
        dtype: 'F32',
        shape: [rows, numberNames.length],
        data: numbers,
      });
    }
  }

  /** Whether there is anything to make vectors of; without it they are 0. */
  get says(): boolean {
    return this.options.ids || this.useTokens || this.useNumbers;
  }

  /** Vectors of `ids` (any shape) → [...ids.shape, D]; padding gives the unknown entity's vector. */
  encode(params: Params, ids: tf.Tensor): tf.Tensor {
    const { prefix } = this;
    const { kind } = this.options;
    const flat = tf.reshape(ids, [ids.size]);
    const parts: tf.Tensor[] = [];
    if (this.options.ids) parts.push(params.lookup(`${prefix}.embedding`, flat));
    if (this.useTokens) {
      const tokens = gatherRows(params.get(`${kind}.features.tokens`), flat);
      parts.push(embeddingBag(params.get(`${prefix}.tokens`) as tf.Tensor2D, tokens as tf.Tensor2D));
    }
    if (this.useNumbers) {
      const numbers = gatherRows(params.get(`${kind}.features.numbers`), flat);
      parts.push(tf.matMul(numbers as tf.Tensor2D, params.get(`${prefix}.numbers`) as tf.Tensor2D));
    }
    return tf.reshape(this.sum(parts, flat.size), [...ids.shape, this.width]);
  }

  /** Vectors of all entities [rows, D]; reads the id embedding whole. */
  all(params: Params): tf.Tensor2D {
    const { prefix } = this;
    const { kind } = this.options;
    const parts: tf.Tensor[] = [];
    if (this.options.ids) parts.push(params.get(`${prefix}.embedding`));
    if (this.useTokens) {
      const tokens = params.get(`${kind}.features.tokens`) as tf.Tensor2D;
      parts.push(embeddingBag(params.get(`${prefix}.tokens`) as tf.Tensor2D, tokens));
    }
    if (this.useNumbers) {
      const numbers = params.get(`${kind}.features.numbers`) as tf.Tensor2D;
      parts.push(tf.matMul(numbers, params.get(`${prefix}.numbers`) as tf.Tensor2D));
    }
    return this.sum(parts, this.rows) as tf.Tensor2D;
  }

  /** Vectors for `ids`, taken from an already computed matrix of all. */
  static pick(all: tf.Tensor2D, ids: tf.Tensor): tf.Tensor {
    return embeddingLookup(all, ids);
  }

  private sum(parts: tf.Tensor[], rows: number): tf.Tensor {
    const [first, ...rest] = parts;
    if (!first) return tf.zeros([rows, this.width]);
    return rest.reduce((a, b) => tf.add(a, b), first);
  }
}

/** Vectors of items: of their ids and, where wanted, their attributes. */
export function itemEncoder(
  catalogue: Catalogue,
  width: number,
  attributes: boolean,
  prefix = 'item',
  ids = true,
): EntityEncoder {
  const options = { kind: 'item', prefix, ids, attributes } as const;
  return new EntityEncoder(options, catalogue.items.length, width, catalogue.itemFeatures);
}

/** Vectors of users by their attributes alone; 0 where those are not wanted. */
export function userEncoder(catalogue: Catalogue, width: number, attributes: boolean): EntityEncoder {
  const options = { kind: 'user', ids: false, attributes } as const;
  return new EntityEncoder(options, catalogue.users.length, width, catalogue.userFeatures);
}
