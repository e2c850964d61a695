import type { ParameterInits } from '../compute/parameters.js';

/** How many numbers a model has. */
export function countWeights(inits: ParameterInits): number {
  let sum = 0;
  for (const { data } of inits.values()) sum += data.length;
  return sum;
}

/** How many of a model's numbers are no embeddings: neither rows of a vocabulary, which grow with it, nor of positions. */
export function weightsBesideEmbeddings(inits: ParameterInits): number {
  let sum = 0;
  for (const [name, { data, grows }] of inits) if (!grows && !name.endsWith('.embedding')) sum += data.length;
  return sum;
}

/** Names of the tables in which items have vectors of their own: one, two where input and output differ, none. */
export const itemTables = (inits: ParameterInits): string[] =>
  [...inits.keys()].filter((name) => inits.get(name)!.grows === 'items' && name.endsWith('.embedding'));

/** Whether a parameter is the named one or stands under it: `blocks.1` (or `blocks.1.`) is not `blocks.10`. */
export const isUnder = (name: string, prefix: string): boolean =>
  `${name}.`.startsWith(prefix.endsWith('.') ? prefix : `${prefix}.`);
