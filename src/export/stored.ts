import { join } from 'node:path';
import type { Reads } from '../model/scorer.js';
import { writeTensorFile } from '../storage/tensor-file.js';
import type { Query, TensorMap } from '../types.js';
import { inputsOf } from './graph.js';

/** Most scores kept: 64 MB. Of a larger catalogue, those of some items. */
const MOST = 16_000_000;

export const STORED = 'requests.safetensors';

/** The requests of a parity check with the checkpoint's scores, for a check in another runtime. */
export class StoredRequests {
  private readonly columns: Int32Array;
  private readonly scores: Float32Array;
  private rows = 0;

  constructor(
    private readonly queries: readonly Query[],
    private readonly reads: Reads,
    private readonly width: number,
  ) {
    const kept = Math.max(1, Math.min(width - 1, Math.floor(MOST / queries.length)));
    // Evenly over the catalogue, padding left out.
    this.columns = Int32Array.from({ length: kept }, (_, i) => 1 + Math.floor((i * (width - 1)) / kept));
    this.scores = new Float32Array(queries.length * kept);
  }

  /** Takes the scores [queries × (items + 1)] of the next requests. */
  add(scores: Float32Array): void {
    const { columns, width } = this;
    for (let from = 0; from < scores.length; from += width, this.rows++)
      for (let i = 0; i < columns.length; i++)
        this.scores[this.rows * columns.length + i] = scores[from + columns[i]!]!;
  }

  /** Writes inputs [N, …], `columns` [C]: item indices, and `scores` [N, C] of these. */
  async write(dir: string): Promise<void> {
    const { columns, scores, queries } = this;
    const tensors: TensorMap = new Map(Object.entries(inputsOf(queries, this.reads)));
    tensors.set('columns', { dtype: 'I32', shape: [columns.length], data: columns });
    tensors.set('scores', { dtype: 'F32', shape: [queries.length, columns.length], data: scores });
    await writeTensorFile(join(dir, STORED), tensors);
  }
}
