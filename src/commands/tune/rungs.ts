/** A stretch of the search: how many trials take part, and up to which epoch they are trained. */
export interface Rung {
  readonly trials: number;
  readonly epochs: number;
}

/** Every trial to its own end. */
export const oneRung = (trials: number): Rung[] => [{ trials, epochs: Number.POSITIVE_INFINITY }];

/**
 * Successive halving (Jamieson & Talwalkar 2016): of the n trials of a rung the best n / eta go on, for eta times the epochs.
 * The last rung trains for all `maxEpochs`; there are as many before it as `minEpochs` and the number of trials allow.
 */
export function halvingRungs(trials: number, eta: number, minEpochs: number, maxEpochs: number): Rung[] {
  const rungs: Rung[] = [];
  for (let divisor = 1; ; divisor *= eta) {
    const epochs = Math.floor(maxEpochs / divisor);
    if (divisor > 1 && (epochs < minEpochs || Math.floor(trials / divisor) < 1)) break;
    rungs.unshift({ trials: 0, epochs });
  }
  return rungs.map(({ epochs }, index) => ({ trials: Math.floor(trials / eta ** index), epochs }));
}
