import type * as tf from '@tensorflow/tfjs-core';
import type { PassContext } from '../../compute/dropout.js';
import { linear } from '../../compute/ops/linear.js';
import type { ParameterInits, Params } from '../../compute/parameters.js';
import type { Random } from '../../random.js';
import { constant, glorot } from '../initial.js';

/** Parameters under `name` of dense layers from sizes[0] to sizes[1] and on to the last. */
export function initTower(into: ParameterInits, name: string, sizes: readonly number[], rng: Random): void {
  sizes.slice(1).forEach((size, i) => {
    into.set(`${name}.${i}.weight`, glorot(rng, sizes[i]!, size));
    into.set(`${name}.${i}.bias`, constant([size], 0));
  });
}

/**
 * x [..., in] through the dense layers, with ReLU and dropout between them → what each gives, bottom to top; the last is [..., out], as
 * it comes.
 */
export function tower<T extends tf.Tensor>(
  params: Params,
  name: string,
  layers: number,
  x: T,
  rate: number,
  pass: PassContext,
): T[] {
  const found: T[] = [];
  let inner: tf.Tensor = x;
  for (let i = 0; i < layers; i++) {
    const [weight, bias] = [params.get(`${name}.${i}.weight`), params.get(`${name}.${i}.bias`)];
    const last = i === layers - 1;
    const y = linear(inner, weight, bias, last ? 'none' : 'relu') as T;
    found.push(y);
    inner = last ? y : pass.dropout(y, rate);
  }
  return found;
}
