import { Random } from '../../random.js';
import type { Range, Space } from './schema.js';

/** What a trial sets: a value for each key of the space. */
export type Values = Readonly<Record<string, unknown>>;

/** Digits a drawn number is rounded to, so that people can read it. */
const DIGITS = 6;
/** Draws for a trial that is not there yet, before a repeated one is taken. */
const ATTEMPTS = 10_000;

/**
 * The trials of a search: values drawn independently for each key, no two trials alike.
 *
 * A pure function of its arguments. Each value hangs only on the seed, its key and the trials before, so more trials
 * extend the list and leave its beginning as it was.
 *
 * @returns fewer than `count` where the space holds no more
 */
export function drawTrials(space: Space, seed: number, count: number): Values[] {
  const seen = new Set<string>();
  const trials: Values[] = [];
  const wanted = Math.min(count, sizeOf(space));
  while (trials.length < wanted) {
    let values = draw(space, seed, trials.length, 0);
    for (let attempt = 1; attempt < ATTEMPTS && seen.has(JSON.stringify(values)); attempt++)
      values = draw(space, seed, trials.length, attempt);
    seen.add(JSON.stringify(values));
    trials.push(values);
  }
  return trials;
}

function draw(space: Space, seed: number, trial: number, attempt: number): Values {
  return Object.fromEntries(
    Object.entries(space).map(([key, dimension]) => {
      const random = Random.of(seed, 'tune', trial, attempt, key);
      return [
        key,
        Array.isArray(dimension) ? dimension[random.int(dimension.length)] : number(dimension, random),
      ];
    }),
  );
}

function number({ min, max, scale, integer }: Range, random: Random): number {
  const [low, high] = integer ? [Math.ceil(min), Math.floor(max)] : [min, max];
  // Half a unit more on both sides gives the first and the last whole number the room that the others have.
  const [from, to] = integer ? [low - 0.5, high + 0.5] : [low, high];
  const share = random.uniform();
  const value =
    scale === 'log'
      ? Math.exp(Math.log(from) + share * (Math.log(to) - Math.log(from)))
      : from + share * (to - from);
  const rounded = integer ? Math.round(value) : Number(value.toPrecision(DIGITS));
  return Math.min(high, Math.max(low, rounded));
}

/** How many different trials a space holds; infinite with a range of real numbers. */
export function sizeOf(space: Space): number {
  return Object.values(space).reduce<number>((size, dimension) => {
    if (Array.isArray(dimension)) return size * new Set(dimension.map((value) => JSON.stringify(value))).size;
    const { min, max, integer } = dimension;
    if (integer) return size * (Math.floor(max) - Math.ceil(min) + 1);
    return min === max ? size : Number.POSITIVE_INFINITY;
  }, 1);
}

/** The values that show whether a key's every value is allowed: all of a list, both ends of a range. */
export function extremesOf(dimension: Space[string]): readonly unknown[] {
  if (Array.isArray(dimension)) return dimension;
  const { min, max, integer } = dimension;
  return integer ? [Math.ceil(min), Math.floor(max)] : [min, max];
}
