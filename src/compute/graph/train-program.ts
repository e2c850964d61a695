import * as tf from '@tensorflow/tfjs-core';
import { randomKey } from '../dropout.js';
import { uploadBatch } from '../eager-step.js';
import type { StepNumbers } from '../optimizers/optimizer.js';
import type { Batch } from '../step.js';
import { accumulate, accumulated, emptyAccumulators } from './accumulation.js';
import { type Gradients, gradientsOf } from './gradients.js';
import type { Recorded, RecordParts } from './program.js';
import type { NumberTensors } from './table-update.js';
import { writeUpdates } from './updates.js';
import { type Fed, ProgramWriter } from './writer.js';

/**
 * The whole step of one batch: forward, gradients, clipping, optimizer. Fed the batch, `random` and the step's numbers; gives
 * loss and norm.
 */
export function recordStep(parts: RecordParts, batch: Batch): Recorded {
  const { inputs, random } = batchTensors(parts, batch);
  const numbers = numberTensors(parts);
  const writer = new ProgramWriter(parts);
  return writer.program({ ...inputs, random, ...numbers.fed }, () => {
    const gradients = gradientsOf(parts, writer, inputs, random);
    const norm = writeUpdates(parts, writer, gradients, numbers);
    return { outputs: { loss: gradients.loss, norm }, reached: namesOf(gradients) };
  });
}

/** A micro-batch of a step: its gradient is put by. Fed the batch, `random` and its `share` of the step; gives the loss. */
export function recordAccumulation(parts: RecordParts, batch: Batch): Recorded {
  const { inputs, random } = batchTensors(parts, batch);
  const share = tf.scalar(1);
  const writer = new ProgramWriter(parts);
  return writer.program({ ...inputs, random, share }, () => {
    const gradients = gradientsOf(parts, writer, inputs, random);
    accumulate(writer, gradients, share);
    return { outputs: { loss: gradients.loss }, reached: namesOf(gradients) };
  });
}

/** The step that the micro-batches' gradients of these parameters make. Fed the step's numbers; gives the norm. */
export function recordUpdate(parts: RecordParts, reached: ReadonlySet<string>): Recorded {
  const numbers = numberTensors(parts);
  const writer = new ProgramWriter(parts);
  return writer.program(numbers.fed, () => {
    const taken = accumulated(parts, writer, reached);
    const norm = writeUpdates(parts, writer, { ...taken, gathers: new Map() }, numbers);
    emptyAccumulators(writer, taken);
    return { outputs: { norm }, reached };
  });
}

function namesOf({ dense, rows }: Gradients): Set<string> {
  return new Set([...dense.keys(), ...rows.map((r) => r.name)]);
}

/** What a program is fed besides its batch. */
const OWN = ['random', 'step', 'share'];

function batchTensors({ options, step }: RecordParts, batch: Batch) {
  const taken = OWN.find((name) => name in batch);
  if (taken) throw new Error(`a batch has an input named "${taken}", which is the recorded step's own`);
  return { inputs: uploadBatch(batch), random: tf.tensor1d(randomKey(options.seed, step, 0), 'int32') };
}

function numberTensors({ eager, step }: RecordParts): NumberTensors & { readonly fed: Fed } {
  const numbers = eager.state.numbers(1e-3, undefined, step);
  const fed = Object.fromEntries(
    Object.entries(fedNumbers(numbers)).map(([name, value]) => [name, tf.scalar(value)]),
  );
  const groups = numbers.groups.map((_, i) => ({
    rate: fed[`rate.${i}`]!,
    keep: fed[`keep.${i}`]!,
    active: fed[`active.${i}`]!,
  }));
  return { fed, step: fed.step!, groups };
}

/** A step's numbers as its programs are fed them. */
export function fedNumbers({ step, groups }: StepNumbers): Record<string, number> {
  const fed: Record<string, number> = { step };
  groups.forEach((group, i) => {
    for (const [name, value] of Object.entries(group)) fed[`${name}.${i}`] = value;
  });
  return fed;
}
