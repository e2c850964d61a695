import * as tf from '@tensorflow/tfjs-core';
import type { ParameterInits, Params } from '../../../compute/parameters.js';
import type { Random } from '../../../random.js';
import type { AttentionOptions } from './attention.js';
import { initRelativePosition, relativePosition } from './relative-position.js';
import { initRelativeTime, relativeTime } from './relative-time.js';
import { windowMask } from './window.js';

/** Parameters of the biases that are asked for. */
export function initBias(into: ParameterInits, name: string, options: AttentionOptions, rng: Random): void {
  const { length, heads } = options;
  if (options.relativePosition) initRelativePosition(into, name, length, heads, rng);
  if (options.relativeTime) initRelativeTime(into, name, heads, rng);
}

/** What is added to the logits of the last R of L positions, [heads or 1, R, L] or [B, heads, R, L]; undefined where nothing is. */
export function biasOf(
  params: Params,
  name: string,
  options: AttentionOptions,
  steps: number,
  rows: number,
  buckets: tf.Tensor3D | undefined,
): tf.Tensor3D | tf.Tensor4D | undefined {
  const { relativePosition: learned, shortTerm } = options;
  const position = learned ? relativePosition(params, name, steps, rows) : undefined;
  const time = buckets && relativeTime(params, name, buckets, rows);
  const window = shortTerm === undefined ? undefined : windowMask(shortTerm, steps, rows);
  const [first, ...more] = [time, position, window].filter((part) => part !== undefined);
  return more.reduce<tf.Tensor3D | tf.Tensor4D | undefined>((sum, part) => tf.add(sum!, part), first);
}
