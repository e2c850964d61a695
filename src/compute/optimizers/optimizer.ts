import type { Tensor } from '@tensorflow/tfjs-core';

/** Settings that some optimizers have, by their keys in the YAML; each takes its own. */
export interface OptimizerSettings {
  readonly weightDecay?: number | undefined;
  readonly momentum?: number | undefined;
  readonly l1?: number | undefined;
  readonly l2?: number | undefined;
}

/** One number kept for each value of a parameter. */
export interface Slot {
  readonly name: string;
  /** What it starts at, or how that follows from the value it belongs to. */
  readonly fill: number | ((weight: number) => number);
}

/**
 * An optimizer, in two equal forms: on whole dense parameters (tfjs ops) and on the touched rows of an embedding table
 * (typed arrays; rows not touched keep their parameters and their state: "lazy").
 */
export interface Optimizer {
  readonly name: string;
  /** Which settings it takes; default none. */
  readonly settings?: readonly (keyof OptimizerSettings)[];
  /** Decoupled weight decay: share of a matrix, times the learning rate, that a step takes away before the update. */
  readonly weightDecay?: number;
  readonly slots: readonly Slot[];
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
  /** Kernel that makes `row`'s update in `PlainMemory`, where there is one. */
  readonly fast?: 'adagrad';
  /** TensorFlow's kernel that makes the dense update in place, where there is one; a recorded step uses it instead of `dense`. */
  readonly kernel?: ApplyKernel;
}

/** How to call a kernel that updates a variable and its slots. */
export interface ApplyKernel {
  readonly op: string;
  /** What follows the handles of the variable and of its slots, in the kernel's order. */
  readonly inputs: readonly ('rate' | 'gradient' | number)[];
  /** Attributes other than the type, where they are not at their defaults. */
  readonly flags?: Readonly<Record<string, boolean>>;
}

/** A slot's first values, beside the parameter's. */
export function firstValues({ fill }: Slot, weights: Float32Array): Float32Array {
  return typeof fill === 'number' ? new Float32Array(weights.length).fill(fill) : weights.map(fill);
}

/** How fast a group of parameters learns. */
export interface GroupRate {
  /** Of the step's learning rate; at 0 the group stays as it is, with its optimizer state, and its gradient is not in the norm. */
  readonly share: number;
  /** Steps before the group's first one: moments are corrected by the group's own count. */
  readonly since: number;
}

/** The numbers of one step that the updates of a group share. */
export interface GroupNumbers {
  readonly rate: number;
  /** What decoupled weight decay leaves of a matrix. */
  readonly keep: number;
  /** 0 where the group stays as it is, else 1. */
  readonly active: number;
}

/** The numbers of one step (from 1). */
export interface StepNumbers {
  readonly step: number;
  readonly groups: readonly GroupNumbers[];
}

export function stepNumbers(
  { rate, weightDecay = 0 }: Optimizer,
  learningRate: number,
  step: number,
  groups: readonly GroupRate[] = WHOLE,
): StepNumbers {
  const numbers = groups.map(({ share, since }) => {
    if (share === 0) return { rate: 0, keep: 1, active: 0 };
    const own = share * learningRate;
    return { rate: rate(own, step - since), keep: 1 - own * weightDecay, active: 1 };
  });
  return { step, groups: numbers };
}

/** All parameters in one group. */
export const WHOLE: readonly GroupRate[] = [{ share: 1, since: 0 }];

/**
 * Whether the L2 penalty and weight decay apply: to matrices, not to biases and gains ([n], or [n, 1] where a bias is held
 * by rows).
 */
export function decays(shape: readonly number[]): boolean {
  return shape.length > 1 && shape.at(-1)! > 1;
}
