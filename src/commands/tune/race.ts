import type { Rung } from './rungs.js';
import { byScore, type Goal, type Score, scoreOf } from './score.js';
import type { Standing } from './standing.js';

/** A trial in the race. */
export interface Runner {
  readonly number: number;
  readonly goal: Goal;
  standing: Standing;
  /** Epochs after which it was left behind; undefined where it was not. */
  dropped?: number | undefined;
}

/** What a runner is worth: of one that was left behind, at the rung where it was. */
export const worth = (runner: Runner): Score | undefined =>
  scoreOf(runner.standing.rows, runner.goal, runner.dropped);

/**
 * Takes runners from rung to rung: those chosen for a rung are advanced to its epochs, then the best go on. A runner that
 * fails makes room for the next best of its rung. Who goes on depends on scores alone, never on which ended first.
 *
 * @param advance trains a runner up to an epoch
 * @param leave is told of a runner that will not be trained further
 * @throws the first error that `advance` throws, once all that run have ended
 */
export async function race<R extends Runner>(
  runners: readonly R[],
  rungs: readonly Rung[],
  parallel: number,
  advance: (runner: R, epochs: number) => Promise<Standing>,
  leave: (runner: R) => Promise<void> = async () => {},
): Promise<void> {
  let ranking = [...runners];
  for (const [index, { trials, epochs }] of rungs.entries()) {
    const reached = new Set<R>();
    let chosen: R[];
    for (;;) {
      chosen = ranking.filter(({ standing }) => standing.state !== 'failed').slice(0, trials);
      const behind = chosen.filter((runner) => !reached.has(runner));
      if (behind.length === 0) break;
      for (const runner of behind) reached.add(runner);
      await inParallel(behind, parallel, async (runner) => {
        runner.standing = await advance(runner, epochs);
      });
    }
    for (const runner of ranking) {
      if (chosen.includes(runner) || runner.standing.state === 'failed') continue;
      runner.dropped = rungs[index - 1]?.epochs;
      await leave(runner);
    }
    ranking = sorted(chosen, epochs);
  }
}

function sorted<R extends Runner>(runners: readonly R[], epochs: number): R[] {
  const scored = runners.map((runner) => ({
    runner,
    score: scoreOf(runner.standing.rows, runner.goal, epochs),
  }));
  const order = byScore(runners[0]?.goal.metric ?? '');
  return scored.sort((a, b) => order(a.score, b.score)).map(({ runner }) => runner);
}

/** Works off a queue with so many workers; after an error no further work is begun. */
async function inParallel<T>(
  queue: readonly T[],
  workers: number,
  work: (one: T) => Promise<void>,
): Promise<void> {
  const waiting = queue.values();
  let failed = false;
  const worker = async (): Promise<void> => {
    for (const one of waiting) {
      if (failed) return;
      try {
        await work(one);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: workers }, worker));
  const broken = ends.find((end) => end.status === 'rejected');
  if (broken !== undefined) throw broken.reason;
}
