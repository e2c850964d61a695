import * as tf from '@tensorflow/tfjs-core';
import type { ParameterInits, Params } from '../compute/parameters.js';
import type { Random } from '../random.js';
import type { Catalogue } from '../types.js';
import type { EntityEncoder } from './entity.js';
import { embedding } from './initial.js';
import type { SequenceBatch } from './model.js';

const NAME = 'behaviour.embedding';

/** Vectors of events as sequence models read them: √D · the item's vector (+ one for the behaviour, where there are several). */
export class EventEncoder {
  private readonly typed: boolean;

  constructor(
    private readonly items: EntityEncoder,
    private readonly width: number,
    private readonly behaviours: Catalogue['behaviours'],
    wanted: boolean,
  ) {
    this.typed = wanted && behaviours.length > 1;
  }

  /** Parameters of the behaviours; the items' are those of their encoder. */
  init(rng: Random, into: ParameterInits): void {
    if (!this.typed) return;
    into.set(NAME, embedding(rng, this.behaviours.length + 1, this.width, 'behaviours', { table: false }));
  }

  /** → [B, L, D]; padding has some vector, too. */
  encode(params: Params, { items, behaviours }: SequenceBatch): tf.Tensor {
    const x = tf.mul(this.items.encode(params, items), Math.sqrt(this.width));
    return this.typed ? tf.add(x, params.lookup(NAME, behaviours)) : x;
  }
}
