import { Worker } from 'node:worker_threads';
import type { Batch } from '../compute/step.js';
import type { BatchSource } from './batches.js';
import type { BatchPlan } from './plan.js';

/** Batches as the training loop asks for them, mostly in order. */
export interface BatchFeed {
  readonly batchesPerEpoch: number;
  batch(epoch: number, index: number): Promise<Batch>;
  /** A feed that is not closed keeps the process alive. */
  close(): Promise<void>;
}

/** Which batch is asked of a worker; its answer comes under the same key. */
export interface FeedRequest {
  readonly epoch: number;
  readonly index: number;
}
export type FeedAnswer = FeedRequest & ({ readonly batch: Batch } | { readonly error: string });

/** Batches made in this thread when they are asked for. */
export function feedOf(source: BatchSource): BatchFeed {
  return {
    batchesPerEpoch: source.batchesPerEpoch,
    batch: async (epoch, index) => source.batch(epoch, index),
    close: async () => source.close?.(),
  };
}

/** Node starts no worker from a source that a loader translates, as in the tests. */
const COMPILED = import.meta.url.endsWith('.js');

/** So many batches are asked for ahead of the one that is wanted. */
const AHEAD = 2;

interface Waiting {
  readonly promise: Promise<Batch>;
  resolve(batch: Batch): void;
  reject(error: Error): void;
}

/**
 * Batches made in a worker thread while the step before them runs: a recorded step holds this thread, and the worker's answer is
 * there when it returns. They are the ones that `source`, made of the same plan, would give.
 */
export function startFeed(plan: BatchPlan, source: BatchSource): BatchFeed {
  if (!COMPILED) return feedOf(source);
  const { batchesPerEpoch } = source;
  const worker = new Worker(new URL('./feed-worker.js', import.meta.url), { workerData: plan });
  const waiting = new Map<string, Waiting>();
  let ended: Error | undefined;
  const fail = (error: Error): void => {
    ended ??= error;
    for (const one of waiting.values()) one.reject(ended);
  };
  worker.on('message', (answer: FeedAnswer) => {
    const one = waiting.get(keyOf(answer));
    if ('batch' in answer) one?.resolve(answer.batch);
    else one?.reject(new Error(answer.error));
  });
  worker.on('error', fail);
  worker.on('exit', () => fail(new Error('the worker that makes batches ended')));
  const ask = (request: FeedRequest): Waiting => {
    const known = waiting.get(keyOf(request));
    if (known) return known;
    const asked = waitFor();
    waiting.set(keyOf(request), asked);
    if (ended) asked.reject(ended);
    else worker.postMessage(request);
    return asked;
  };
  return {
    batchesPerEpoch,
    async batch(epoch, index) {
      let next: FeedRequest = { epoch, index };
      const wanted = ask(next);
      for (let n = 0; n < AHEAD; n++) {
        const last = next.index + 1 >= batchesPerEpoch;
        next = last ? { epoch: next.epoch + 1, index: 0 } : { epoch: next.epoch, index: next.index + 1 };
        ask(next);
      }
      try {
        return await wanted.promise;
      } finally {
        waiting.delete(keyOf({ epoch, index }));
      }
    },
    async close() {
      await worker.terminate();
      source.close?.();
    },
  };
}

const keyOf = ({ epoch, index }: FeedRequest): string => `${epoch}/${index}`;

function waitFor(): Waiting {
  let settle: Pick<Waiting, 'resolve' | 'reject'>;
  const promise = new Promise<Batch>((resolve, reject) => {
    settle = { resolve, reject };
  });
  // One that nobody comes to wait for must not end the process.
  promise.catch(() => {});
  return { promise, resolve: (batch) => settle.resolve(batch), reject: (error) => settle.reject(error) };
}
