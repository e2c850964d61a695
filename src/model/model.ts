import type { Tensor, Tensor1D, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { z } from 'zod';
import type { PassContext } from '../compute/dropout.js';
import type { DotCandidates } from '../compute/ops/softmax-loss.js';
import type { ParameterInits, Params } from '../compute/parameters.js';
import type { Random } from '../random.js';
import type { Catalogue, Query, TensorMap } from '../types.js';
import type { PlainModel } from './plain/plain-model.js';

/** A batch of histories, right-aligned: position length − 1 is the most recent, 0 pads on the left. */
export interface SequenceBatch {
  /** [B] user indices (0 = unknown). */
  readonly users: Tensor;
  /** [B, L] item indices. */
  readonly items: Tensor2D;
  /** [B, L] behaviour index + 1 (0 = padding). */
  readonly behaviours: Tensor2D;
  /** [B, L] 1 where the item is hidden and asked for; only for a model that `masksItems`. */
  readonly masked?: Tensor2D;
  /** [B, L] when the events happened, int32 seconds of which only differences count; only for a model that `readsTimes`. */
  readonly times?: Tensor2D;
  /** [B, L] value of each event less the model's centre, 0 where it has none; only for a model that `readsValues`. */
  readonly values?: Tensor2D;
  /** [B, L] behaviour index + 1 of what is asked for at each position, 0 = of any behaviour; only for a model that `readsAsked`. */
  readonly asked?: Tensor2D;
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
  /** True where `encode` gives a state at every position ([B, L, D]); false: one state a user ([B, 1, D]). */
  readonly positional: boolean;
  /**
   * True for a model that is trained to fill in hidden items (`SequenceBatch.masked`), seeing those before and after them; then
   * `encode` gives a state at every position. Without `masked` it gives that of an item to come, one state a user.
   */
  readonly masksItems?: boolean;
  /** True for a model that is fed the times of events (`SequenceBatch.times`). */
  readonly readsTimes?: boolean;
  /** True where `encode` reads the vectors of the whole catalogue. */
  readonly readsCatalogue?: boolean;
  /** True for a model that is told of which behaviour the asked-for event is (`SequenceBatch.asked`). */
  readonly readsAsked?: boolean;
  /** Present for a model that is fed the values of events (`SequenceBatch.values`): what is subtracted from them. */
  readonly readsValues?: { readonly center: number };
  /** Rate of the dropout inside `encode`; absent: there is none, and a history is always encoded alike. */
  readonly dropout?: number;
  /** Names of the layers `encode` returns, bottom to top. */
  readonly layerNames: readonly string[];
  /**
   * What the parameters of each layer above the embeddings begin with, bottom to top, the head with the topmost; default: there is no
   * such layer.
   */
  readonly stack?: readonly (readonly string[])[];
  init(rng: Random): ParameterInits;
  /** Tensors that are read like parameters but neither trained nor saved: they follow from the catalogue. */
  constants(): TensorMap;
  encode(params: Params, batch: SequenceBatch, pass: PassContext): Encoded;
  /** Of a model that adapts by gradient steps: [B] 1 for each history whose steps diverged, and which is taken as if it were empty. */
  diverged?(params: Params, batch: SequenceBatch, pass: PassContext): Tensor1D;
  /** Logits of candidates for states [N, D] → [N, items + 1] ('all'; column 0 is padding) or [N, C]. */
  logits(params: Params, states: Tensor2D, candidates: Candidates, pass: PassContext): Tensor2D;
  /** Of a model whose logit is a dot product: the vectors and offsets of all items, or of ids [C]. */
  candidates?(params: Params, candidates: Candidates, pass?: PassContext): DotCandidates;
  /**
   * Of a model whose score is a sum over events: what each event of the one history of a batch adds to the logits of items [C] → [L, C], 0 for
   * padding. Less them, a logit is that of everything but events.
   */
  contributions?(params: Params, batch: SequenceBatch, items: Tensor1D): Tensor2D;
  /**
   * Of a model that is faster without tensors: scores of all items for one query from the weights themselves, [items + 1], as
   * `logits` gives them. Values that change later, in place, are read as they are then.
   */
  direct?(inits: ParameterInits): (query: Query) => Float32Array;
  /** Of a model that is written out over arrays, too: that form over the parameters' own arrays, for answers and gradients without tensors. */
  plain?(inits: ParameterInits): PlainModel;
}

/** What the registry holds: the model's own config schema and how to build it for a catalogue. */
export interface ModelDefinition<S extends z.ZodType = z.ZodType> {
  readonly schema: S;
  create(config: z.output<S>, catalogue: Catalogue): Model;
}

export function defineModel<S extends z.ZodType>(definition: ModelDefinition<S>): ModelDefinition<S> {
  return definition;
}
