import { RecsysError } from '../../errors.js';

/** Vectors by key, of which those are found whose inner product with a query is about the largest. */
export interface VectorIndex {
  /** @param keys [n] @param vectors [n × width] */
  add(keys: BigUint64Array, vectors: Float32Array, threads: number): void;
  search(query: Float32Array, count: number, threads: number): { readonly keys: BigUint64Array };
  size(): number;
  save(path: string): void;
  load(path: string): void;
}

export interface IndexShape {
  readonly width: number;
  readonly connectivity: number;
  readonly expansion: number;
}

/** Makes an empty index. */
export type MakeIndex = (shape: IndexShape) => VectorIndex;

interface Usearch {
  readonly Index: new (settings: object) => VectorIndex;
}

/**
 * The package `usearch`: a graph of near neighbours (HNSW; Malkov & Yashunin 2018) over vectors in half precision.
 * @throws RecsysError ENVIRONMENT where it is not installed or does not load
 */
export async function loadUsearch(
  load: () => Promise<unknown> = () => import('usearch'),
): Promise<MakeIndex> {
  let loaded: Usearch;
  try {
    loaded = (await load()) as Usearch;
  } catch (error) {
    throw new RecsysError(
      'ENVIRONMENT',
      `\`retrieval.kind: usearch\` needs the package usearch, which cannot be loaded (${reasonOf(error)})`,
      { remedy: 'Install it: `npm install usearch`, or set `retrieval.kind: exact`.', cause: error },
    );
  }
  return ({ width, connectivity, expansion }) =>
    new loaded.Index({
      ...{ metric: 'ip', quantization: 'f16', dimensions: width },
      ...{ connectivity, expansion_add: expansion },
    });
}

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!;
