import * as tf from '@tensorflow/tfjs-core';
import type { PassContext } from '../compute/dropout.js';
import { gatherRows } from '../compute/gather.js';
import type { ParameterInits, Params } from '../compute/parameters.js';
import type { Random } from '../random.js';
import type { Catalogue, TensorMap } from '../types.js';
import { EntityEncoder } from './entity.js';

const KNOWN = 'item.known';

/**
 * Vectors of items of which some have no train row: what their attributes say, plus, of a known item, a vector of its own. That one is
 * left out at random while a model learns (`idDropout`), so that attributes alone come to be of use (Volkovs, Yu & Poutanen 2017).
 */
export class ColdItemEncoder {
  private readonly ids: EntityEncoder | undefined;
  private readonly attributes: EntityEncoder;

  constructor(
    private readonly catalogue: Catalogue,
    private readonly width: number,
    private readonly options: {
      /** Known items have vectors of their own. */
      readonly ids: boolean;
      readonly attributes: boolean;
      /** How often they go without, in training. */
      readonly idDropout: number;
    },
  ) {
    const of = (ids: boolean, attributes: boolean): EntityEncoder =>
      new EntityEncoder(
        { kind: 'item', ids, attributes },
        catalogue.items.length,
        width,
        catalogue.itemFeatures,
      );
    this.ids = options.ids ? of(true, false) : undefined;
    this.attributes = of(false, options.attributes);
  }

  init(rng: Random, into: ParameterInits): void {
    this.ids?.init(rng, into);
    this.attributes.init(rng, into);
  }

  constants(into: TensorMap): void {
    this.attributes.constants(into);
    const { itemCounts, items } = this.catalogue;
    const data = Float32Array.from(itemCounts, (count, item) => (item > 0 && count > 0 ? 1 : 0));
    if (this.ids) into.set(KNOWN, { dtype: 'F32', shape: [items.length, 1], data });
  }

  /** Vectors of `ids` (any shape) → [...ids.shape, D]. */
  encode(params: Params, ids: tf.Tensor, pass: PassContext): tf.Tensor {
    if (!this.ids) return this.attributes.encode(params, ids);
    const flat = tf.reshape(ids, [ids.size]) as tf.Tensor1D;
    const known = gatherRows(params.get(KNOWN), flat);
    const own = tf.mul(this.ids.encode(params, flat), this.kept(known, pass));
    const vectors = this.attributes.says ? tf.add(this.attributes.encode(params, flat), own) : own;
    return tf.reshape(vectors, [...ids.shape, this.width]);
  }

  /** Vectors of all items [items + 1, D]. */
  all(params: Params, pass: PassContext): tf.Tensor2D {
    if (!this.ids) return this.attributes.all(params);
    const own = tf.mul(this.ids.all(params), this.kept(params.get(KNOWN), pass)) as tf.Tensor2D;
    return this.attributes.says ? (tf.add(this.attributes.all(params), own) as tf.Tensor2D) : own;
  }

  /** Dropout scales what it keeps; here a vector is whole or not there. */
  private kept(known: tf.Tensor, pass: PassContext): tf.Tensor {
    const { idDropout } = this.options;
    return pass.training ? tf.mul(pass.dropout(known, idDropout), 1 - idDropout) : known;
  }
}
