import { parentPort, workerData } from 'node:worker_threads';
import type { FeedAnswer, FeedRequest } from './feed.js';
import { type BatchPlan, makeBatches } from './plan.js';

/** The other side of `startFeed`: makes the batches of its plan, one request after the other. */
const source = makeBatches(workerData as BatchPlan);

parentPort?.on('message', ({ epoch, index }: FeedRequest) => {
  const answer = answerOf(epoch, index);
  const buffers =
    'batch' in answer ? Object.values(answer.batch).map(({ data }) => data.buffer as ArrayBuffer) : [];
  parentPort!.postMessage(answer, buffers);
});

function answerOf(epoch: number, index: number): FeedAnswer {
  try {
    return { epoch, index, batch: source.batch(epoch, index) };
  } catch (error) {
    return { epoch, index, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
