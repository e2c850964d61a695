import * as tf from '@tensorflow/tfjs-core';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { Random } from '../../random.js';
import type { Catalogue } from '../../types.js';
import type { SequenceBatch } from '../model.js';
import { askedPlaces, type Heads } from './asked.js';
import { type ExpertsConfig, expertHeads } from './experts.js';
import { linearHeads } from './linear.js';

/** A task for each behaviour over the states that all share. */
export class BehaviourHeads {
  private readonly heads: Heads | undefined;
  private readonly behaviours: number;

  /** @param wanted true: a linear one for each behaviour; there are none where there is one behaviour alone */
  constructor(
    { behaviours }: Pick<Catalogue, 'behaviours'>,
    private readonly width: number,
    wanted: boolean | ExpertsConfig,
  ) {
    this.behaviours = behaviours.length;
    if (!wanted || behaviours.length < 2) return;
    this.heads =
      wanted === true ? linearHeads(behaviours.length, width) : expertHeads(behaviours.length, width, wanted);
  }

  get there(): boolean {
    return this.heads !== undefined;
  }

  init(into: ParameterInits, rng: Random): void {
    this.heads?.init(into, rng);
  }

  /** States [B, R, D] of the last positions as `asked` [B, L] asks for them; without it, or where it is 0, they stay as they are. */
  apply(params: Params, states: tf.Tensor3D, { asked }: SequenceBatch): tf.Tensor3D {
    if (!this.heads || !asked) return states;
    const [size, steps] = states.shape;
    const places = tf.reshape(states, [size * steps, this.width]) as tf.Tensor2D;
    const moved = this.heads.moves(params, places, askedPlaces(asked, steps, this.behaviours));
    return tf.add(states, tf.reshape(moved, states.shape));
  }
}
