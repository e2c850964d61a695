/**
 * Types that several rooms share. A leaf: imports nothing.
 *
 * Indices: users and items are numbered from 1; 0 is "padding or unknown" everywhere.
 */

/** Attributes of users or items, encoded for models. Row 0 belongs to the unknown entity. */
export interface FeatureTable {
  /** Number of rows, the unknown row 0 included. */
  readonly rows: number;
  /** Tokens a row (padded with 0). */
  readonly width: number;
  /** [rows × width] category and tag values as indices into `tokenNames`; 0 = none. */
  readonly tokens: Int32Array;
  /** Name of each token, `attribute=value` or (hashed text) `attribute#bucket/buckets`; entry 0 is ''. Only values seen on train rows have one. */
  readonly tokenNames: readonly string[];
  /** [rows × numberNames.length] numbers and dates, standardised with train rows' mean and deviation; missing = 0. */
  readonly numbers: Float32Array;
  readonly numberNames: readonly string[];
}

/** Who and what a model knows: the vocabularies with their attributes. */
export interface Catalogue {
  /** External ids by index; entry 0 is ''. */
  readonly users: readonly string[];
  readonly items: readonly string[];
  /** Behaviour names by index (not padded: behaviour 0 is a real one). */
  readonly behaviours: readonly string[];
  /** Display titles by item index; empty string where there is none. */
  readonly titles: readonly string[];
  readonly itemFeatures: FeatureTable;
  readonly userFeatures: FeatureTable;
  /** Interactions on train rows, by item index (popularity). */
  readonly itemCounts: Float32Array;
}

/** What each event of a history adds to the scores of some items. */
export interface Contributions {
  /** Places of the events in the history, those that the model reads. */
  readonly events: readonly number[];
  /** [events × items]; what they leave of a score is that of everything but events (bias, attributes). */
  readonly values: Float32Array;
}

/** What a model is told of a user when it is asked for scores: the history, oldest first, in catalogue indices. */
export interface Query {
  /** User index, or 0 for a user the model never saw. */
  readonly user: number;
  readonly items: Int32Array;
  readonly behaviours: Uint8Array;
  /** When each event happened, milliseconds since the epoch; absent where that is not known. */
  readonly times?: Float64Array;
  /** Value (rating, play count) of each event, NaN where it has none; absent where none has. */
  readonly values?: Float32Array;
  /** Index of the behaviour that is asked about: which item comes next by it. Absent: by any. */
  readonly asks?: number;
}

/** Anything that ranks the whole catalogue for users: a trained model or a baseline. */
export interface Scorer {
  readonly name: string;
  /** Number of items (without padding). */
  readonly items: number;
  /** Scores [queries × (items + 1)], row-major, higher is better; column 0 (padding) is meaningless. */
  score(queries: readonly Query[]): Promise<Float32Array>;
}

export type TypedArray = Float32Array | Int32Array | Uint8Array;

/** A tensor outside any backend. `dtype` follows safetensors: F32, I32, U8. */
export interface HostTensor {
  readonly dtype: 'F32' | 'I32' | 'U8';
  readonly shape: readonly number[];
  readonly data: TypedArray;
}
export type TensorMap = Map<string, HostTensor>;

/** A tensor in fewer bits than it is computed with: I8 whole numbers (with scales beside them), or F16 half floats as their bits. */
export type PackedTensor =
  | { readonly dtype: 'I8'; readonly shape: readonly number[]; readonly data: Int8Array }
  | { readonly dtype: 'F16'; readonly shape: readonly number[]; readonly data: Uint16Array };
/** A tensor as a file holds it. */
export type StoredTensor = HostTensor | PackedTensor;
export type StoredMap = Map<string, StoredTensor>;

/** Progress of long work: `done` of `total` units (total 0 = unknown). `fields` are shown beside it. */
export interface ProgressEvent {
  readonly task: string;
  readonly done: number;
  readonly total: number;
  readonly fields?: Readonly<Record<string, number | string>>;
}

/** What a stage is given to speak with its caller: it never prints, and stops at the next safe point once `signal` is aborted. */
export interface StageContext {
  progress(event: ProgressEvent): void;
  log(level: 'debug' | 'info' | 'warn', message: string, fields?: Readonly<Record<string, unknown>>): void;
  readonly signal: AbortSignal;
}
