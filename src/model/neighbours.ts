import type { ParameterInits, Vocabulary } from '../compute/parameters.js';
import type { Catalogue } from '../types.js';

/**
 * Rows of a table with K weights each and the items they go to, all 0 at first: `<name>.neighbours` and `<name>.weights` [rows, K].
 * The items are the most popular ones, so that what is new to a model can learn something; a catalogue of fewer has padding in their place.
 */
export function neighbourRows(
  name: string,
  rows: number,
  grows: Vocabulary,
  { catalogue, neighbours }: { readonly catalogue: Catalogue; readonly neighbours: number },
  into: ParameterInits,
): void {
  const { itemCounts, items } = catalogue;
  const best = Array.from({ length: items.length - 1 }, (_, i) => i + 1)
    .sort((a, b) => itemCounts[b]! - itemCounts[a]! || a - b)
    .slice(0, neighbours);
  const numbers = new Float32Array(rows * neighbours);
  for (let row = 1; row < rows; row++) numbers.set(best, row * neighbours);
  const shape = [rows, neighbours];
  const fixed = { below: items.length };
  into.set(`${name}.neighbours`, { shape, data: numbers, table: false, grows, fixed });
  into.set(`${name}.weights`, { shape, data: new Float32Array(numbers.length), table: true, grows });
}
