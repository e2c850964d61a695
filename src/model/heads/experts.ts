import * as tf from '@tensorflow/tfjs-core';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { Random } from '../../random.js';
import { constant, normal } from '../initial.js';
import { type AskedPlaces, type Heads, ofBehaviours } from './asked.js';

export interface ExpertsConfig {
  /** Experts that all behaviours share, and as many of each behaviour's own. */
  readonly experts: number;
  /** Hidden units of an expert. */
  readonly expertWidth: number;
}

const NAME = 'behaviourHeads.experts';
const GATE = `${NAME}.gate`;
const namesOf = (whose: 'shared' | 'own') => ({
  into: `${NAME}.${whose}.in`,
  bias: `${NAME}.${whose}.bias`,
  out: `${NAME}.${whose}.out`,
});
const [SHARED, OWN] = [namesOf('shared'), namesOf('own')];

/**
 * Experts that all behaviours share beside each one's own, mixed by a gate of the behaviour's (the customised gate control of progressive layered
 * extraction, one level: Tang et al. 2020; with shared experts alone it is MMoE: Ma et al. 2018). Asked about behaviour b, a state s is
 * s + Σ_e g_e(s) ReLU(s·U_e / √D + h_e) V_e / √H, with g = softmax(s·G_b / √D) over the shared experts and b's own. V_e begins at 0.
 */
export function expertHeads(
  behaviours: number,
  width: number,
  { experts, expertWidth }: ExpertsConfig,
): Heads {
  const rows = behaviours + 1;
  const hidden = experts * expertWidth;
  const grows = 'behaviours' as const;
  /** [2 · experts, hidden] 1 where a gate is that of a hidden unit's expert; `first` is the gate of the first of them. */
  const unitsOf = (first: number): tf.Tensor2D =>
    tf.tensor2d(
      Float32Array.from({ length: 2 * experts * hidden }, (_, i) =>
        Math.floor(i / hidden) - first === Math.floor((i % hidden) / expertWidth) ? 1 : 0,
      ),
      [2 * experts, hidden],
    );
  return {
    init(into: ParameterInits, rng: Random) {
      into.set(SHARED.into, { ...normal(rng, [width, hidden], 1), added: true });
      into.set(SHARED.bias, { ...constant([hidden], 0), added: true });
      into.set(SHARED.out, { ...constant([hidden, width], 0), added: true });
      // Row 0 belongs to no behaviour.
      into.set(OWN.into, { ...normal(rng, [rows, width, hidden], 1), grows });
      into.set(OWN.bias, { ...constant([rows, 1, hidden], 0), grows });
      into.set(OWN.out, { ...constant([rows, hidden, width], 0), grows });
      into.set(GATE, { ...constant([rows, width, 2 * experts], 0), grows });
    },
    moves(params: Params, states: tf.Tensor2D, { chosen, placed }: AskedPlaces) {
      const scale = 1 / Math.sqrt(width);
      const own = placed(states);
      const gates = tf.softmax(tf.mul(tf.matMul(own, ofBehaviours(params.get(GATE))), scale)) as tf.Tensor2D;
      // Where nothing in particular is asked there is no gate: nothing is moved.
      const asked = tf.mul(gates, tf.sum(chosen, 1, true)) as tf.Tensor2D;
      const mixed = (inner: tf.Tensor, bias: tf.Tensor, first: number): tf.Tensor2D => {
        const units = tf.relu(tf.add(tf.mul(inner, scale), bias));
        return tf.mul(units, tf.matMul(asked, unitsOf(first))) as tf.Tensor2D;
      };
      const shared = mixed(
        tf.matMul(states, params.get(SHARED.into) as tf.Tensor2D),
        params.get(SHARED.bias),
        0,
      );
      const alone = mixed(
        tf.matMul(own, ofBehaviours(params.get(OWN.into))),
        tf.matMul(chosen, ofBehaviours(params.get(OWN.bias))),
        experts,
      );
      const moved = tf.add(
        tf.matMul(shared, params.get(SHARED.out) as tf.Tensor2D),
        tf.matMul(placed(alone), ofBehaviours(params.get(OWN.out))),
      );
      return tf.mul(moved, 1 / Math.sqrt(expertWidth)) as tf.Tensor2D;
    },
  };
}
