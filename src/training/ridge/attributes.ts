import type { Inputs } from './inputs.js';
import type { Moments } from './moments.js';

/**
 * Fills the rows of items' attribute values in, in place: the input of a value is the sum of those of the items that have it, so each
 * of its moments is a sum of theirs.
 */
export function addItemAttributes({ gram, cross, columns }: Moments, inputs: Inputs): void {
  const { data, stride } = gram;
  const { items, itemTokens, ofItem } = inputs;
  if (itemTokens === 0) return;
  const at = (i: number, j: number): number => (i > j ? i * stride + j : j * stride + i);
  const having = Array.from({ length: inputs.users }, (_, i) => [i + 1, ofItem(i + 1)] as const);
  for (const [item, tokens] of having)
    for (const token of tokens) {
      for (let j = 0; j <= items; j++) data[token * stride + j]! += data[at(item, j)]!;
      for (let j = 0; j < columns; j++) cross[token * columns + j]! += cross[item * columns + j]!;
    }
  for (const [item, tokens] of having)
    for (const other of tokens)
      for (let token = items + 1; token <= other; token++)
        data[other * stride + token]! += data[token * stride + item]!;
}

/** Hands the weights of attribute values down to the items that have them, in place: then an item's own row says all. */
export function foldItemAttributes(weights: Float32Array, columns: number, inputs: Inputs): void {
  for (let item = 1; item <= inputs.users; item++)
    for (const token of inputs.ofItem(item))
      for (let j = 0; j < columns; j++) weights[item * columns + j]! += weights[token * columns + j]!;
}
