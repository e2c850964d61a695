import type { Tensor } from '@tensorflow/tfjs-core';

/**
 * An optimizer, in two equal forms: on whole dense parameters (tfjs ops) and on the touched rows of an embedding table
 * (typed arrays; rows not touched keep their parameters and their state: "lazy").
 */
export interface Optimizer {
  readonly name: string;
  /** State kept a parameter: names and initial fill. */
  readonly slots: readonly { readonly name: string; readonly fill: number }[];
  /** One update, inside a tidy: new parameter and new slots. `step` counts from 1. */
  dense(
    parameter: Tensor,
    gradient: Tensor,
    slots: readonly Tensor[],
    learningRate: number,
    step: number,
  ): { parameter: Tensor; slots: Tensor[] };
  /** One update in place of `length` values at `offset` (one row) of the parameter and of each slot. */
  row(
    parameter: Float32Array,
    offset: number,
    gradient: Float32Array,
    gradientOffset: number,
    length: number,
    slots: readonly Float32Array[],
    learningRate: number,
    step: number,
  ): void;
}
