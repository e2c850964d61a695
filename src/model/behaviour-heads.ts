import * as tf from '@tensorflow/tfjs-core';
import type { ParameterInits, Params } from '../compute/parameters.js';
import type { Catalogue } from '../types.js';
import { constant } from './initial.js';
import type { SequenceBatch } from './model.js';
import { newestPlaces } from './select.js';

const WEIGHT = 'behaviourHeads.weight';
const OFFSET = 'behaviourHeads.offset';

/**
 * A task for each behaviour over shared states (multi-task heads: Caruana 1997): asked what comes next of behaviour b, a state s is
 * s + s·W_b / √D + c_b; of any behaviour, s itself. W_b and c_b begin at 0, so that a model that is given heads answers as it did before. The
 * division makes a step of Adam, which moves all weights alike, move a state about as far through W_b as through c_b.
 */
export class BehaviourHeads {
  /** True where there are heads: they are wanted, and there are several behaviours to tell apart. */
  readonly there: boolean;
  private readonly behaviours: number;

  constructor(
    { behaviours }: Pick<Catalogue, 'behaviours'>,
    private readonly width: number,
    wanted: boolean,
  ) {
    this.behaviours = behaviours.length;
    this.there = wanted && behaviours.length > 1;
  }

  init(into: ParameterInits): void {
    if (!this.there) return;
    const { behaviours, width } = this;
    into.set(WEIGHT, { ...constant([behaviours + 1, width, width], 0), grows: 'behaviours' });
    into.set(OFFSET, { ...constant([behaviours + 1, width], 0), grows: 'behaviours' });
  }

  /** States [B, R, D] of the last positions as `asked` [B, L] asks for them; without it, or where it is 0, they stay as they are. */
  apply(params: Params, states: tf.Tensor3D, { asked }: SequenceBatch): tf.Tensor3D {
    if (!this.there || !asked) return states;
    const { behaviours, width } = this;
    const places = states.shape[0] * states.shape[1];
    const asks = newestPlaces(asked, states.shape[1]);
    const codes = tf.tensor2d(
      Int32Array.from({ length: behaviours }, (_, b) => b + 1),
      [1, behaviours],
      'int32',
    );
    const chosen = tf.cast(tf.equal(tf.reshape(asks, [places, 1]), codes), 'float32') as tf.Tensor2D;
    // The state in the place of the behaviour that is asked about, 0 in the others: one product does for all heads.
    const placed = tf.mul(
      tf.reshape(chosen, [places, behaviours, 1]),
      tf.reshape(states, [places, 1, width]),
    );
    // Row 0 belongs to no behaviour.
    const weights = tf.slice(params.get(WEIGHT), [1, 0, 0], [behaviours, width, width]);
    const offsets = tf.slice(params.get(OFFSET), [1, 0], [behaviours, width]) as tf.Tensor2D;
    const weight = tf.reshape(weights, [behaviours * width, width]) as tf.Tensor2D;
    const turned = tf.matMul(tf.reshape(placed, [places, behaviours * width]) as tf.Tensor2D, weight);
    const moved = tf.add(tf.mul(turned, 1 / Math.sqrt(width)), tf.matMul(chosen, offsets));
    return tf.add(states, tf.reshape(moved, states.shape));
  }
}
