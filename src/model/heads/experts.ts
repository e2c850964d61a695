import * as tf from '@tensorflow/tfjs-core';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { Random } from '../../random.js';
import { constant, normal } from '../initial.js';
import { type AskedPlaces, ofBehaviours } from './asked.js';
import type { Heads } from './heads.js';

export interface ExpertsConfig {
  /** Experts that all behaviours share, and as many of each behaviour's own. */
  readonly experts: number;
  /** Hidden units of an expert. */
  readonly expertWidth: number;
}

const NAME = 'behaviourHeads.experts';
const [INTO, BIAS, OUT, GATE] = [`${NAME}.in`, `${NAME}.bias`, `${NAME}.out`, `${NAME}.gate`];

/**
 * Experts that all behaviours share beside each one's own, mixed by a gate of the behaviour's (the customised gate control of progressive layered
 * extraction, one level: Tang et al. 2020; with shared experts alone it is MMoE: Ma et al. 2018). Asked about behaviour b, a state s is
 * s + Σ_e g_e(s) ReLU(s·U_e / √D + h_e) V_e / √H, with g = softmax(s·G_b / √D) over the shared experts and b's own. V_e begins at 0.
 * Row 0 of each parameter is what is shared, of the gates nothing.
 */
export function expertHeads(
  behaviours: number,
  width: number,
  { experts, expertWidth }: ExpertsConfig,
): Heads {
  const rows = behaviours + 1;
  const hidden = experts * expertWidth;
  const grows = 'behaviours' as const;
  const share = (params: Params, name: string, inputs: number, outputs: number): tf.Tensor2D =>
    tf.reshape(tf.slice(params.get(name), [0, 0, 0], [1, inputs, outputs]), [inputs, outputs]);
  return {
    init(into: ParameterInits, rng: Random) {
      into.set(INTO, { ...normal(rng, [rows, width, hidden], 1), grows });
      into.set(BIAS, { ...constant([rows, 1, hidden], 0), grows });
      into.set(OUT, { ...constant([rows, hidden, width], 0), grows });
      into.set(GATE, { ...constant([rows, width, 2 * experts], 0), grows });
    },
    moves(params: Params, states: tf.Tensor2D, { chosen, placed }: AskedPlaces) {
      const places = states.shape[0];
      const scale = 1 / Math.sqrt(width);
      const own = placed(states);
      const gates = tf.softmax(tf.mul(tf.matMul(own, ofBehaviours(params.get(GATE))), scale)) as tf.Tensor2D;
      // Where nothing in particular is asked there is no gate: nothing is moved.
      const asked = tf.mul(gates, tf.sum(chosen, 1, true));
      const mixed = (inner: tf.Tensor, bias: tf.Tensor, first: number): tf.Tensor2D => {
        const units = tf.relu(tf.add(tf.mul(inner, scale), bias));
        const gate = tf.reshape(tf.slice(asked, [0, first], [places, experts]), [places, experts, 1]);
        return tf.reshape(tf.mul(tf.reshape(units, [places, experts, expertWidth]), gate), [places, hidden]);
      };
      const shared = mixed(
        tf.matMul(states, share(params, INTO, width, hidden)),
        share(params, BIAS, 1, hidden),
        0,
      );
      const alone = mixed(
        tf.matMul(own, ofBehaviours(params.get(INTO))),
        tf.matMul(chosen, ofBehaviours(params.get(BIAS))),
        experts,
      );
      const moved = tf.add(
        tf.matMul(shared, share(params, OUT, hidden, width)),
        tf.matMul(placed(alone), ofBehaviours(params.get(OUT))),
      );
      return tf.mul(moved, 1 / Math.sqrt(expertWidth)) as tf.Tensor2D;
    },
  };
}
