import type { RecsysError } from '../../errors.js';
import { identify } from '../pipeline/identity.js';
import type { Inputs } from '../pipeline/record.js';
import type { StageRun } from '../stage.js';
import { version } from '../version.js';
import { isValid, type Trial } from './plan.js';
import type { Runner } from './race.js';
import { type Places, placesOf } from './record.js';
import type { Search } from './settings.js';
import type { Values } from './space.js';
import { standingOf, UNBEGUN } from './standing.js';

/** A trial in the race, with what it depends on. */
export interface Entry extends Runner {
  readonly values: Values;
  readonly inputs: Inputs;
  readonly places: Places;
}

/** Enters a trial with what earlier runs left of it. One whose settings are not valid counts as failed. */
export async function enter(
  trial: Trial,
  search: Search,
  out: string,
  run: Pick<StageRun<unknown>, 'log' | 'signal' | 'flags'>,
): Promise<Entry> {
  const { number, values, settings } = trial;
  const { stage, metric } = search.config;
  const places = placesOf(out, number);
  const inputs = { version: version(), stage, config: null, paths: {} };
  if (!isValid(trial)) {
    const { code, message, remedy } = settings as RecsysError;
    run.log('warn', `trial ${number} is left out: ${message}`, { values });
    const standing = { ...UNBEGUN, state: 'failed', error: { code, message, remedy } } as const;
    return { number, values, goal: { metric, watched: metric }, standing, inputs, places };
  }
  const { config, paths } = trial.settings;
  const identities: Record<string, string | null> = {};
  for (const { key, file } of paths) identities[key] = (await identify(file)) ?? null;
  const all = { ...inputs, config, paths: identities };
  const standing = await standingOf(places, all, run.flags.force, run);
  return {
    number,
    values,
    goal: { metric, watched: config.validation.metric },
    standing,
    inputs: all,
    places,
  };
}
