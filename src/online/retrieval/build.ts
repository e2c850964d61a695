import { Worker } from 'node:worker_threads';
import { turn } from '../turn.js';
import { type IndexShape, loadUsearch, type MakeIndex } from './usearch.js';

/** An index to be made. */
export interface BuildPlan extends IndexShape {
  /** [items × width]; those of row 1 first. */
  readonly vectors: Float32Array<ArrayBuffer>;
  /** Where it is saved. */
  readonly file: string;
}

/** What a worker says when it has ended well. */
export const BUILT = 'built';

/** Node starts no worker from a source that a loader translates, as in the tests. */
const COMPILED = import.meta.url.endsWith('.js');

/** Items added without a pause: in a moment a worker can be stopped. */
const TOGETHER = 500;

/** Adds the items in order, one thread: the same vectors make the same index. Saves it. */
export async function makeIndexFile(
  { vectors, file, ...shape }: BuildPlan,
  make: MakeIndex,
  signal?: AbortSignal,
): Promise<void> {
  const index = make(shape);
  const { width } = shape;
  const items = vectors.length / width;
  for (let from = 0; from < items; from += TOGETHER) {
    signal?.throwIfAborted();
    const count = Math.min(TOGETHER, items - from);
    const keys = BigUint64Array.from({ length: count }, (_, i) => BigInt(from + i + 1));
    index.add(keys, vectors.subarray(from * width, (from + count) * width), 1);
    await turn();
  }
  index.save(file);
}

/** The same in a worker thread, which gets the vectors. Rejects with the signal's reason once the worker has ended. */
export async function buildIndex(plan: BuildPlan, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (!COMPILED) return makeIndexFile(plan, await loadUsearch(), signal);
  const worker = new Worker(new URL('./build-worker.js', import.meta.url), {
    workerData: plan,
    transferList: [plan.vectors.buffer],
  });
  // A process that stops need not wait for it.
  worker.unref();
  const stop = (): void => void worker.terminate();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      let built = false;
      worker.on('message', (message) => {
        built = message === BUILT;
      });
      worker.on('error', reject);
      worker.on('exit', () =>
        built ? resolve() : reject(signal.reason ?? new Error('the worker that makes an index ended')),
      );
    });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
