import { parentPort, workerData } from 'node:worker_threads';
import { BUILT, type BuildPlan, makeIndexFile } from './build.js';
import { loadUsearch } from './usearch.js';

/** The other side of `buildIndex`. */
await makeIndexFile(workerData as BuildPlan, await loadUsearch());
parentPort!.postMessage(BUILT);
