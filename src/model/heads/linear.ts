import * as tf from '@tensorflow/tfjs-core';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import { constant } from '../initial.js';
import { type AskedPlaces, type Heads, ofBehaviours } from './asked.js';

const WEIGHT = 'behaviourHeads.weight';
const OFFSET = 'behaviourHeads.offset';

/**
 * A task for each behaviour over shared states (multi-task heads: Caruana 1997): asked what comes next of behaviour b, a state s is
 * s + s·W_b / √D + c_b. W_b and c_b begin at 0. The division makes a step of Adam, which moves all weights alike, move a state about as far through W_b as through c_b.
 */
export function linearHeads(behaviours: number, width: number): Heads {
  return {
    init(into: ParameterInits) {
      // Row 0 belongs to no behaviour.
      into.set(WEIGHT, { ...constant([behaviours + 1, width, width], 0), grows: 'behaviours' });
      into.set(OFFSET, { ...constant([behaviours + 1, width], 0), grows: 'behaviours' });
    },
    moves(params: Params, states: tf.Tensor2D, { chosen, placed }: AskedPlaces) {
      const offsets = tf.slice(params.get(OFFSET), [1, 0], [behaviours, width]) as tf.Tensor2D;
      const turned = tf.matMul(placed(states), ofBehaviours(params.get(WEIGHT)));
      return tf.add(tf.mul(turned, 1 / Math.sqrt(width)), tf.matMul(chosen, offsets)) as tf.Tensor2D;
    },
  };
}
