import type { Scalar, Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { Random } from '../random.js';
import type { Catalogue } from '../types.js';

/** Initial value of one parameter. `table` marks an embedding table of which a batch touches few rows. */
export interface ParameterInit {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  readonly table: boolean;
  /** Rows follow this vocabulary and grow with it; row 0 is padding. */
  readonly grows?: 'users' | 'items' | 'behaviours' | 'itemTokens' | 'userTokens';
}
export type ParameterInits = Map<string, ParameterInit>;

/** How a model reads its parameters: dense tensors whole, tables by rows (compute/ decides how rows are held). */
export interface Params {
  /** The whole parameter. */
  get(name: string): Tensor;
  /** Rows of a parameter: ids of any shape → [...ids.shape, width]. */
  lookup(name: string, ids: Tensor): Tensor;
  /** False where reading the parameter whole would copy a table that is held by rows. */
  isDense(name: string): boolean;
}

/** A batch of histories, right-aligned: position length − 1 is the most recent, 0 pads on the left. */
export interface SequenceBatch {
  /** [B] user indices (0 = unknown). */
  readonly users: Tensor;
  /** [B, L] item indices. */
  readonly items: Tensor2D;
  /** [B, L] behaviour index + 1 (0 = padding). */
  readonly behaviours: Tensor2D;
}

/** Randomness of a pass. At inference `training` is false and dropout is the identity. */
export interface PassContext {
  readonly training: boolean;
  dropout<T extends Tensor>(x: T, rate: number): T;
}

/** User states at every position, and the hidden layers feature alignment may use (bottom to top). */
export interface Encoded {
  /** [B, L, D]; a model without positions gives [B, 1, D]. */
  readonly states: Tensor3D;
  readonly layers: readonly Tensor3D[];
}

/** Which items to score: all of them, the same C for every state ([C]), or C of their own ([N, C]). */
export type Candidates = 'all' | Tensor;

/**
 * A model: pure functions of its parameters. No file system, clock, logger or randomness of its own.
 */
export interface Model {
  readonly name: string;
  /** Width D of the user states. */
  readonly width: number;
  /** Longest history read. */
  readonly length: number;
  /** Names of the layers `encode` returns, bottom to top. */
  readonly layerNames: readonly string[];
  init(rng: Random): ParameterInits;
  encode(params: Params, batch: SequenceBatch, pass: PassContext): Encoded;
  /** Logits of candidates for states [N, D] → [N, items + 1] ('all'; column 0 is padding) or [N, C]. */
  logits(params: Params, states: Tensor2D, candidates: Candidates, pass: PassContext): Tensor2D;
}

/** What the registry holds: the model's own config schema and how to build it for a catalogue. */
export interface ModelDefinition<C> {
  readonly schema: { parse(value: unknown): C };
  create(config: C, catalogue: Catalogue): Model;
}

export type LossTensor = Scalar;
