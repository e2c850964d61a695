import type { Query } from '../types.js';

/** What an exported model answers to requests, row-major. */
export interface Answers {
  /** [queries × (items + 1)] */
  readonly scores: Float32Array;
  /** [queries × D] of a model whose score is a dot product. */
  readonly state?: Float32Array | undefined;
  /** [queries × top] item indices, best first. */
  readonly top?: Float32Array | undefined;
}

/** An exported model as it was written, ready to be asked. */
export interface Artefact {
  /** What runs it. */
  readonly runtime: string;
  answer(queries: readonly Query[]): Promise<Answers>;
  dispose(): void;
}

/** Score of an item = state · vector + offset. Row 0 is padding, with an offset of −1e9. */
export interface ItemVectors {
  /** [(items + 1) × width] */
  readonly vectors: Float32Array;
  /** [items + 1] */
  readonly offsets: Float32Array;
  readonly width: number;
}
