import type { RecommendRequest } from '../protocol/recommendations.js';
import { invalid } from './events.js';
import type { States } from './learner.js';

/**
 * The state that a request asks by, if any.
 * @param served model version that is served now
 * @throws ReplyError 400 for one of another width, or said to be of another checkpoint
 */
export function askedState(
  { state, modelVersion }: Pick<RecommendRequest, 'state' | 'modelVersion'>,
  states: States | undefined,
  served: string,
): Float32Array | undefined {
  if (modelVersion !== undefined && baseOf(modelVersion) !== baseOf(served))
    throw invalid([
      {
        field: 'modelVersion',
        message: `is of another checkpoint; ${served} is served now: ask for the state anew`,
      },
    ]);
  const width = states?.width ?? 0;
  if (state && state.length !== width)
    throw invalid([
      { field: 'state', message: `has ${state.length} numbers, and those of this model ${width}` },
    ]);
  return state && Float32Array.from(state);
}

/**
 * @param items rows of the catalogue, the first of which is none
 * @returns [items] scores by a state
 * @throws ReplyError 400 for a state that leads to scores that are no numbers
 */
export async function scoresOfState(
  states: States,
  state: Float32Array,
  items: number,
): Promise<Float32Array> {
  const scores = await states.rank(state);
  for (let item = 1; item < items; item++)
    if (!Number.isFinite(scores[item]))
      throw invalid([{ field: 'state', message: 'gives scores that are no numbers' }]);
  return scores;
}

/** The checkpoint that a model version begins with, `<base>+<events>`. */
const baseOf = (modelVersion: string): string => modelVersion.split('+', 1)[0]!;
