import type { Query } from '../types.js';

/**
 * Values of the events before `end` (at most `steps` of them, not before `start`), right-aligned into row `row` of [B, steps], less
 * `center`; 0 where an event has none.
 */
export function alignValues(
  source: Float32Array,
  start: number,
  end: number,
  into: Float32Array,
  row: number,
  steps: number,
  center: number,
): void {
  const n = Math.min(steps, end - start);
  for (let t = 0; t < n; t++) {
    const value = source[end - n + t]!;
    into[(row + 1) * steps - n + t] = Number.isNaN(value) ? 0 : value - center;
  }
}

/** Values of the queries' events, [queries × steps], as `alignValues` makes them. */
export function packValues(queries: readonly Query[], steps: number, center: number): Float32Array {
  const into = new Float32Array(queries.length * steps);
  queries.forEach(({ values, items }, row) => {
    if (values) alignValues(values, 0, items.length, into, row, steps, center);
  });
  return into;
}
