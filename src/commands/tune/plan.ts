import { z } from 'zod';
import { type Layer, splitKey } from '../../config/layers.js';
import { type Resolved, resolveConfig } from '../../config/load.js';
import { RecsysError } from '../../errors.js';
import type { StageContext } from '../../types.js';
import { halvingRungs, oneRung, type Rung } from './rungs.js';
import type { Search } from './settings.js';
import { drawTrials, extremesOf, type Values } from './space.js';

/** One point of the search, and the stage's settings there; an error where they are not valid together. */
export interface Trial {
  /** From 1. */
  readonly number: number;
  readonly values: Values;
  readonly settings: Resolved<TrainingSettings> | RecsysError;
}

/** What the search reads of a training stage's settings. */
const trainingSettings = z.looseObject({
  epochs: z.int(),
  validation: z.looseObject({ metric: z.string(), every: z.int() }),
});
export type TrainingSettings = z.output<typeof trainingSettings>;

/**
 * The trials with their settings, before the first one is trained.
 * @throws RecsysError CONFIG_INVALID for a key that the stage does not have, and for a value that is not allowed in any trial
 */
export function planTrials(search: Search): Trial[] {
  const { search: space, seed, trials: count } = search.config;
  const trials = drawTrials(space, seed, count).map((values, index) => ({
    number: index + 1,
    values,
    settings: settingsAt(search, values),
  }));
  const [first] = trials;
  if (first?.settings instanceof RecsysError && !trials.some(isValid)) throw first.settings;
  refuseBadValues(search, trials.filter(isValid));
  return trials;
}

export const isValid = (trial: Trial): trial is Trial & { settings: Resolved<TrainingSettings> } =>
  !(trial.settings instanceof RecsysError);

/** A value that no trial could have is a mistake in the file; one that only some combinations allow is not. */
function refuseBadValues(search: Search, valid: readonly Trial[]): void {
  const lines = new Set<string>();
  for (const [key, dimension] of Object.entries(search.config.search)) {
    for (const value of extremesOf(dimension)) {
      let error: RecsysError | undefined;
      for (const trial of valid) {
        const settings = settingsAt(search, { ...trial.values, [key]: value });
        if (!(settings instanceof RecsysError)) {
          error = undefined;
          break;
        }
        error ??= settings;
      }
      for (const line of error?.message.split('\n').slice(1) ?? []) lines.add(line);
    }
  }
  if (lines.size === 0) return;
  throw new RecsysError(
    'CONFIG_INVALID',
    `values to search over are not valid settings of ${search.stage.name}\n${[...lines].join('\n')}`,
    { remedy: `Correct them; \`recsys config schema ${search.stage.name}\` lists what is allowed.` },
  );
}

/** The stage's settings with these values: the search's own < the trial's < flags. */
function settingsAt(search: Search, values: Values): Resolved<TrainingSettings> | RecsysError {
  const own: Layer[] = Object.entries(values).map(([key, value]) => ({
    at: splitKey(key),
    value,
    base: search.base,
    where: (_path, of) => search.where(['search', key], of),
  }));
  try {
    const { stage } = search;
    const { config, paths } = resolveConfig(
      stage.schema,
      [...search.layers, ...own, ...search.last],
      stage.name,
    );
    return { config: trainingSettings.parse(config), paths };
  } catch (error) {
    if (error instanceof RecsysError) return error;
    throw error;
  }
}

/**
 * The rungs of the search's method.
 * @throws RecsysError CONFIG_INVALID where halving can't be done with these settings
 */
export function planRungs(
  search: Search,
  trials: readonly Trial[],
  { log }: Pick<StageContext, 'log'>,
): readonly Rung[] {
  const { method, eta, minEpochs, search: space } = search.config;
  if (method === 'random') return oneRung(trials.length);
  if (Object.hasOwn(space, 'epochs')) {
    const message = 'halving sets the epochs itself: give the most there may be in `with`';
    throw new RecsysError(
      'CONFIG_INVALID',
      `${search.where(['search', 'epochs'], 'key')}: epochs: ${message}`,
    );
  }
  const settings = trials.filter(isValid).map((trial) => trial.settings.config);
  const rungs = halvingRungs(trials.length, eta, minEpochs, settings[0]!.epochs);
  const every = Math.max(...settings.map(({ validation }) => validation.every));
  if (rungs.length === 1)
    log('warn', 'halving has one rung: with so few trials or epochs, every trial is trained to its end');
  else if (rungs[0]!.epochs < every) {
    const message = `the first rung ends after epoch ${rungs[0]!.epochs}, before the first validation (validation.every: ${every}); expected at least ${every}`;
    throw new RecsysError('CONFIG_INVALID', `${search.where(['minEpochs'], 'value')}: minEpochs: ${message}`);
  }
  log('info', `halving: ${rungs.map(({ trials: n, epochs }) => `${n} to epoch ${epochs}`).join(', ')}`);
  return rungs;
}
