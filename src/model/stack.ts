/** A model's `stack`: one layer a name, and the head beside the topmost. */
export function stackOf(layers: readonly string[], ...head: string[]): string[][] {
  const rest = layers.slice(0, -1).map((name) => [name]);
  return [...rest, [...layers.slice(-1), ...head]];
}
