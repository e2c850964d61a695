import { longestOf } from '../model/scorer.js';
import type { LearnExample } from './learner.js';

/** Examples in few sizes, powers of 4, for which a step is recorded: what is added weighs nothing. */
export function inFewSizes(examples: readonly LearnExample[]): LearnExample[] {
  let size = 1;
  while (size < examples.length) size *= 4;
  const nothing = { ...examples[0]!, weight: 0 };
  return [...examples, ...new Array<LearnExample>(size - examples.length).fill(nothing)];
}

/**
 * Examples like others of every size that `inFewSizes` gives of at most `most`, to record steps with.
 * @param known rows of the catalogue
 */
export function examplesOfEverySize(most: number, length: number, known: number): LearnExample[][] {
  const example: LearnExample = {
    ...{ seq: 0, query: longestOf(length), item: 1, behaviour: 0, weight: 1, known },
    event: { id: '', user: '', item: '', behaviour: '', time: 0, value: 0 },
  };
  const sizes: LearnExample[][] = [];
  for (let size = 1; ; size *= 4) {
    sizes.push(new Array<LearnExample>(size).fill(example));
    if (size >= most) return sizes;
  }
}
