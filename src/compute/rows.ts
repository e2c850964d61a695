import type { Table } from './parameters.js';
import type { PulledRows } from './start.js';

/** Gradients of the distinct rows one step touched in one table. */
export class MergedRows {
  constructor(
    readonly name: string,
    /** Distinct row numbers, ascending. */
    readonly ids: Int32Array,
    /** [ids.length × width] */
    readonly gradient: Float32Array,
    private readonly width: number,
  ) {}

  squaredNorm(): number {
    let sum = 0;
    for (let i = 0; i < this.gradient.length; i++) sum += this.gradient[i]! * this.gradient[i]!;
    return sum;
  }

  /** Scales the gradient and adds `l2 × row` and the pull to where the row started, in place. */
  prepare(table: Float32Array, scale: number, l2: number, pulled?: PulledRows): void {
    if (scale === 1 && l2 === 0 && !pulled) return;
    for (let k = 0; k < this.ids.length; k++) {
      const row = this.ids[k]!;
      for (let j = 0; j < this.width; j++) {
        const g = k * this.width + j;
        const w = row * this.width + j;
        const strength = pulled?.strength[w] ?? 0;
        const back = strength === 0 ? 0 : strength * (table[w]! - pulled!.start[w]!);
        this.gradient[g] = this.gradient[g]! * scale + l2 * table[w]! + back;
      }
    }
  }
}

/** Gradients [ids × width] of the rows of one lookup. */
export interface LookupGradient {
  readonly name: string;
  readonly ids: Int32Array;
  readonly gradient: Float32Array;
}

/**
 * Sums the gradients of equal ids over all lookups of a step, so that each table has one apply a step. Row 0 (padding)
 * is left out: it never trains.
 */
export function mergeRows(
  recorded: readonly LookupGradient[],
  tables: ReadonlyMap<string, Table>,
  share: number,
): MergedRows[] {
  const byName = new Map<string, LookupGradient[]>();
  for (const r of recorded) byName.set(r.name, [...(byName.get(r.name) ?? []), r]);
  const merged: MergedRows[] = [];
  for (const [name, list] of byName) {
    const { width } = tables.get(name)!;
    const distinct = new Set<number>();
    for (const r of list) for (const id of r.ids) if (id !== 0) distinct.add(id);
    const ids = Int32Array.from(distinct).sort();
    const slot = new Map<number, number>();
    ids.forEach((id, k) => {
      slot.set(id, k);
    });
    const gradient = new Float32Array(ids.length * width);
    for (const r of list) {
      const values = r.gradient;
      for (let i = 0; i < r.ids.length; i++) {
        const k = slot.get(r.ids[i]!);
        if (k === undefined) continue;
        for (let j = 0; j < width; j++)
          gradient[k * width + j] = gradient[k * width + j]! + values[i * width + j]! * share;
      }
    }
    merged.push(new MergedRows(name, ids, gradient, width));
  }
  return merged;
}
