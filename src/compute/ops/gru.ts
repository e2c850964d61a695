import * as tf from '@tensorflow/tfjs-core';
import { saver } from './kernel.js';

/**
 * States of a gated recurrent unit from left to right (Cho et al. 2014; its reset gate as in their first version, after the recurrent
 * product, so that a step multiplies once). With the three thirds of inputs as a, those of h · recurrent as b:
 *
 *     r = σ(a_r + b_r)   z = σ(a_z + b_z)   n = tanh(a_n + r ⊙ b_n)   h ← h + z ⊙ (n − h)
 *
 * Unrolled over the steps: a graph has some 15 nodes a step, and 10 more with its gradient.
 *
 * @param inputs [B, L, 3H] what each event says to reset, update and candidate
 * @param recurrent [H, 3H]
 * @param start [B, H] the state before the first step
 * @returns [B, L, H]
 */
export function gru(inputs: tf.Tensor3D, recurrent: tf.Tensor2D, start: tf.Tensor2D): tf.Tensor3D {
  const op = tf.customGrad((...args) => {
    const [inputs, recurrent, start, save] = args as [tf.Tensor3D, tf.Tensor2D, tf.Tensor2D, unknown];
    const { states, kept } = forward(inputs, recurrent, start);
    saver(save)([recurrent, ...KEPT.flatMap((name) => kept[name])]);
    return {
      value: tf.stack(states, 1),
      gradFunc: (dy: tf.Tensor | tf.Tensor[], saved: tf.Tensor[]) =>
        gradients(dy as tf.Tensor3D, saved as tf.Tensor2D[]),
    };
  });
  return op(inputs, recurrent, start) as tf.Tensor3D;
}

/** What the gradient needs of each step, all [B, H]; `product` is h · recurrent for the candidate. */
const KEPT = ['before', 'reset', 'update', 'candidate', 'product'] as const;
type Kept = Record<(typeof KEPT)[number], tf.Tensor2D[]>;

function forward(inputs: tf.Tensor3D, recurrent: tf.Tensor2D, start: tf.Tensor2D) {
  const [hidden] = recurrent.shape;
  const [gates, candidates] = tf.split(inputs, [2 * hidden, hidden], 2).map((part) => tf.unstack(part, 1));
  const kept: Kept = { before: [], reset: [], update: [], candidate: [], product: [] };
  const states: tf.Tensor2D[] = [];
  let state = start;
  gates!.forEach((gate, t) => {
    const [toGates, product] = tf.split(tf.matMul(state, recurrent), [2 * hidden, hidden], 1);
    const [reset, update] = tf.split(tf.sigmoid(tf.add(gate, toGates!)), 2, 1) as [tf.Tensor2D, tf.Tensor2D];
    const candidate = tf.tanh(tf.add(candidates![t]!, tf.mul(reset, product!))) as tf.Tensor2D;
    const found = { before: state, reset, update, candidate, product: product as tf.Tensor2D };
    for (const name of KEPT) kept[name].push(found[name]);
    state = tf.add(state, tf.mul(update, tf.sub(candidate, state)));
    states.push(state);
  });
  return { states, kept };
}

/**
 * Backpropagation through time. How each preactivation moves the next state is known for all steps at once; only the gradient of the
 * state is carried from step to step, and the weights' gradient is one product over all of them.
 */
function gradients(dy: tf.Tensor3D, [recurrent, ...lists]: tf.Tensor2D[]): tf.Tensor[] {
  const [size, steps, hidden] = dy.shape;
  const [before, reset, update, candidate, product] = KEPT.map((_, i) =>
    tf.stack(lists.slice(i * steps, (i + 1) * steps), 1),
  ) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const rest = (x: tf.Tensor): tf.Tensor => tf.sub(1, x);
  const toCandidate = tf.mul(update, rest(tf.square(candidate)));
  const toProduct = tf.mul(toCandidate, reset);
  const toReset = tf.mul(tf.mul(toProduct, rest(reset)), product);
  const toUpdate = tf.mul(tf.mul(tf.sub(candidate, before), update), rest(update));
  const toAll = tf.unstack(tf.concat([toReset, toUpdate, toProduct], 2), 1);
  const stays = tf.unstack(rest(update), 1);
  const given = tf.unstack(dy, 1);
  const ofStates: tf.Tensor[] = [];
  const ofProducts: tf.Tensor[] = [];
  let carried: tf.Tensor = tf.zeros([size, hidden]);
  for (let t = steps - 1; t >= 0; t--) {
    const ofState = tf.add(given[t]!, carried);
    const ofAll = tf.mul(tf.concat([ofState, ofState, ofState], 1), toAll[t]!) as tf.Tensor2D;
    carried = tf.add(tf.mul(ofState, stays[t]!), tf.matMul(ofAll, recurrent!, false, true));
    ofStates.unshift(ofState);
    ofProducts.unshift(ofAll);
  }
  const products = tf.stack(ofProducts, 1);
  const flat = (x: tf.Tensor, width: number): tf.Tensor2D => tf.reshape(x, [size * steps, width]);
  const toGates = tf.slice(products, [0, 0, 0], [size, steps, 2 * hidden]);
  return [
    tf.concat([toGates, tf.mul(tf.stack(ofStates, 1), toCandidate)], 2),
    tf.matMul(flat(before, hidden), flat(products, 3 * hidden), true),
    carried,
  ];
}
