import * as tf from '@tensorflow/tfjs-core';
import { hash32 } from '../random.js';
import { nativeBackend } from './graph/binding.js';
import { type Kernel, type KernelAttributes, kernels } from './ops/kernel.js';

/** Randomness of one pass through a model. At inference `training` is false and dropout is the identity. */
export interface PassContext {
  readonly training: boolean;
  dropout<T extends tf.Tensor>(x: T, rate: number): T;
  /** True: only the state at the last position is asked for, and a model with a state at every position may give it alone. */
  readonly newest?: boolean;
  /** Where random numbers are made by native operations: their seed, int32 [2], and the number of the next one of this pass. */
  readonly key?: { readonly seed: tf.Tensor1D; next(): number };
}

/** Names the randomness of one micro-batch of one step. */
export function randomKey(seed: number, step: number, micro: number): Int32Array {
  return Int32Array.of(hash32(String(micro), seed), step);
}

/**
 * The native pass: masks come from a stateless random op (Salmon et al. 2011, Philox) of (seed, step, call), so that a
 * recorded step draws new ones each time. `random` is `randomKey` as an int32 tensor [2].
 */
export function graphPass(random: tf.Tensor1D): PassContext {
  const native = nativeBackend();
  if (!native) throw new Error('graphPass needs the native backend');
  const { binding } = native;
  let call = 0;
  const next = (): number => call++;
  const kernel = kernels();
  return {
    training: true,
    key: { seed: random, next },
    dropout: <T extends tf.Tensor>(x: T, rate: number): T => {
      if (rate <= 0) return x;
      if (kernel) return maskedBy(kernel, x, random, { int: { call: next() }, float: { rate } });
      const seed = tf.add(random, tf.tensor1d([next() * 0x9e3779b, 0], 'int32'));
      const attributes = [
        { name: 'dtype', type: binding.TF_ATTR_TYPE, value: binding.TF_FLOAT },
        { name: 'T', type: binding.TF_ATTR_TYPE, value: binding.TF_INT32 },
        { name: 'Tseed', type: binding.TF_ATTR_TYPE, value: binding.TF_INT32 },
      ];
      const shape = tf.tensor1d(x.shape, 'int32');
      const uniform = native.executeSingleOutput('StatelessRandomUniform', attributes, [shape, seed]);
      const mask = tf.mul(tf.cast(tf.greaterEqual(uniform, rate), 'float32'), 1 / (1 - rate));
      return tf.mul(x, mask) as T;
    },
  };
}

/** The mask is made twice, forward and back, and kept never. */
function maskedBy<T extends tf.Tensor>(
  kernel: Kernel,
  x: T,
  seed: tf.Tensor1D,
  attributes: KernelAttributes,
): T {
  const masked = (y: tf.Tensor): tf.Tensor => kernel('RecsysDropout', [y, seed], attributes, 1)[0]!;
  const op = tf.customGrad((input) => ({
    value: masked(input as tf.Tensor),
    gradFunc: (dy: tf.Tensor | tf.Tensor[]) => masked(dy as tf.Tensor),
  }));
  return op(x) as T;
}

export const INFERENCE: PassContext = { training: false, dropout: (x) => x };

/** To recommend: what comes after the newest event is asked for, and nothing else. */
export const NEWEST: PassContext = { ...INFERENCE, newest: true };

/**
 * A training pass whose dropout masks are a function of (seed, step, micro-batch, call): inverted dropout
 * (Srivastava et al. 2014), kept values scaled by 1 / (1 − rate).
 */
export function trainingPass(seed: number, step: number, micro: number): PassContext {
  let call = 0;
  return {
    training: true,
    dropout: <T extends tf.Tensor>(x: T, rate: number): T => {
      if (rate <= 0) return x;
      const mask = dropoutMask(x.size, rate, hash32(`${step}/${micro}/${call++}`, seed));
      return tf.mul(x, tf.tensor(mask, x.shape, 'float32')) as T;
    },
  };
}

/** [n] values 0 (with probability `rate`) or 1 / (1 − rate), by xorshift32 from `seed`. */
export function dropoutMask(n: number, rate: number, seed: number): Float32Array {
  const mask = new Float32Array(n);
  const keep = 1 / (1 - rate);
  const threshold = Math.floor(rate * 4294967296);
  let s = seed | 0 || 0x9e3779b9;
  for (let i = 0; i < n; i++) {
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    mask[i] = s >>> 0 < threshold ? 0 : keep;
  }
  return mask;
}
