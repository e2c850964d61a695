import type { Tensor } from '@tensorflow/tfjs-core';

/**
 * An optimizer, in two equal forms: on whole dense parameters (tfjs ops) and on the touched rows of an embedding table
 * (typed arrays; rows not touched keep their parameters and their state: "lazy").
 */
export interface Optimizer {
  readonly name: string;
  /** State kept a parameter: names and initial fill. */
  readonly slots: readonly { readonly name: string; readonly fill: number }[];
  /** Factor of the update at a step (from 1): the learning rate with the step's corrections folded in. */
  rate(learningRate: number, step: number): number;
  /** One update, elementwise, inside a tidy: new parameter and new slots. */
  dense(
    parameter: Tensor,
    gradient: Tensor,
    slots: readonly Tensor[],
    rate: Tensor,
  ): { parameter: Tensor; slots: Tensor[] };
  /** One update in place of `length` values at `offset` (one row) of the parameter and of each slot. */
  row(
    parameter: Float32Array,
    offset: number,
    gradient: Float32Array,
    gradientOffset: number,
    length: number,
    slots: readonly Float32Array[],
    rate: number,
  ): void;
}

/** Whether the L2 penalty applies: to matrices, not to biases and gains ([n], or [n, 1] where a bias is held by rows). */
export function decays(shape: readonly number[]): boolean {
  return shape.length > 1 && shape.at(-1)! > 1;
}
