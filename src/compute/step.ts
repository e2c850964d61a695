import type * as tf from '@tensorflow/tfjs-core';
import type { HostTensor, TensorMap } from '../types.js';
import type { Adversary } from './adversary.js';
import type { PassContext } from './dropout.js';
import type { Precision } from './ops/kernel.js';
import type { GroupRate, Optimizer } from './optimizers/optimizer.js';
import type { HeldParams, ParameterStore, Params } from './parameters.js';
import type { StartOptions } from './start.js';

/** A batch as the step takes it: named host tensors. */
export type Batch = Readonly<Record<string, HostTensor>>;
/** The same batch on the backend. */
export type Inputs = Readonly<Record<string, tf.Tensor>>;

export interface StepOptions {
  readonly store: ParameterStore;
  readonly optimizer: Optimizer;
  /** The scalar to minimise. Pure in (parameters, inputs); randomness only through `pass`. */
  loss(params: Params, inputs: Inputs, pass: PassContext): tf.Scalar;
  /** Parameters that stay as they are. */
  readonly frozen?: (name: string) => boolean;
  /** Which of `count` groups, from 0, a parameter that trains is of; each learns at a rate of its own. Default: all are of one. */
  readonly groups?: { readonly count: number; of(name: string): number } | undefined;
  /** L2 penalty: adds `l2 × w` to the gradients of matrices (not of biases and gains). */
  readonly l2?: number;
  /** Pull to where training began, beside the gradients of all that trains. */
  readonly l2Start?: StartOptions | undefined;
  /** Largest global norm of the gradient; larger ones are scaled down to it. */
  readonly clipNorm?: number;
  /** Asked before each update with what it would be made of: false leaves everything as it is. Such a step is made op by op. */
  readonly accepts?: ((update: StepResult) => boolean) | undefined;
  /** The store's parameters as tensors. With them a step that is made op by op has its gradients from a recorded function, where the backend can. */
  readonly held?: HeldParams | undefined;
  /** Adds the loss under a perturbation of embedding tables, made anew for each batch. */
  readonly adversary?: Adversary | undefined;
  /** Keep moving averages of the weights, in which each step's weigh this share of the next one's; default 0 = none. */
  readonly ema?: number;
  readonly seed: number;
  /** Most micro-batches a step will be given; default 1. */
  readonly accumulate?: number;
  /** In what matrices are multiplied, forward and back, where the backend can; weights are float32 in any case. Default float32. */
  readonly precision?: Precision;
  /** Record the step as a TensorFlow graph where the backend can; default true. */
  readonly compile?: boolean;
}

export interface StepResult {
  readonly loss: number;
  /** Global gradient norm before clipping. */
  readonly gradientNorm: number;
}

/** A training step ready to run; the training loop knows this interface alone. */
export interface CompiledStep {
  /** Steps taken so far. */
  readonly count: number;
  /** Makes the step ready for these batches' shapes; gives how many programs it recorded (0 where it runs op by op). */
  prepare(batches: readonly Batch[]): number;
  /**
   * One optimizer step on the mean gradient of the micro-batches.
   * @param rates one for each group; default: each learns at the learning rate from the first step on
   */
  run(
    microBatches: readonly Batch[],
    learningRate: number,
    rates?: readonly GroupRate[],
  ): Promise<StepResult>;
  /** Loss of a batch without dropout and without an update. */
  evaluate(batch: Batch): Promise<number>;
  /** Runs `work` while the store holds the moving averages (`ema`) in place of the weights; without averages, the weights. */
  averaged<T>(work: () => Promise<T>): Promise<T>;
  /** Optimizer state, averages and step count, for snapshots. */
  export(): Promise<TensorMap>;
  /** Restores what `export` gave; the parameters are taken from the store as it is now. */
  load(state: TensorMap): void;
  dispose(): void;
}
