import type { Query } from '../../types.js';
import type { OnlineLearner } from '../learner.js';
import { turn } from '../turn.js';

/** Questions that are answered at once, and parts of the longest history: functions are recorded for each of these shapes. */
const ROWS = [1, 4, 16];
const QUARTERS = [1, 2, 3, 4];

/** Scores histories of every shape once, so that the first requests do not wait for what is recorded then. */
export async function warmScores(
  learner: Pick<OnlineLearner, 'score' | 'length' | 'columns'>,
): Promise<void> {
  const { length, columns } = learner;
  for (const rows of ROWS)
    for (const quarter of QUARTERS) {
      const n = Math.min(length, quarter * Math.ceil(length / 4));
      const query: Query = {
        user: 0,
        items: new Int32Array(n).fill(1),
        behaviours: new Uint8Array(n),
        ...(columns?.times ? { times: new Float64Array(n) } : {}),
        ...(columns?.values ? { values: new Float32Array(n).fill(Number.NaN) } : {}),
      };
      await learner.score(new Array<Query>(rows).fill(query));
      // Recording holds the thread: lists of what is still served get their turns.
      await turn();
    }
}
