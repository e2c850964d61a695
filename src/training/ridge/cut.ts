/** Of each row of a matrix its `count` largest weights by magnitude, in the order of their columns; 0 at column 0 fills what is short. */
export interface Neighbours {
  /** [rows × count]. */
  readonly numbers: Float32Array;
  readonly weights: Float32Array;
}

/**
 * Cuts rows `from` … `from + rows − 1` of weights [_ × columns]; column 0 is padding and never kept. Of equal magnitudes the first
 * columns are kept.
 */
export function largest(
  weights: Float32Array,
  columns: number,
  { from, rows, count }: { readonly from: number; readonly rows: number; readonly count: number },
): Neighbours {
  const cut = { numbers: new Float32Array(rows * count), weights: new Float32Array(rows * count) };
  const sizes = new Float32Array(columns - 1);
  for (let row = 0; row < rows; row++) {
    const base = (from + row) * columns;
    for (let j = 1; j < columns; j++) sizes[j - 1] = Math.abs(weights[base + j]!);
    sizes.sort();
    const limit = count < sizes.length ? sizes[sizes.length - count]! : 0;
    let ties = count;
    for (let k = sizes.length - 1; k >= 0 && sizes[k]! > limit; k--) ties--;
    let at = row * count;
    for (let j = 1; j < columns; j++) {
      const size = Math.abs(weights[base + j]!);
      if (size < limit || size === 0 || (size === limit && ties-- <= 0)) continue;
      cut.numbers[at] = j;
      cut.weights[at++] = weights[base + j]!;
    }
  }
  return cut;
}
