import { Random } from '../../random.js';
import type { GenerateConfig } from './schema.js';
import { AGE_GROUPS, COUNTRIES } from './vocabulary.js';
import type { World } from './world.js';

/** A user with what the log does not say of them. */
export interface User {
  readonly id: string;
  /** Index into AGE_GROUPS. */
  readonly age: number;
  /** Index into COUNTRIES. */
  readonly country: number;
  /** Share of each hobby in their attention; sums to 1. */
  readonly tastes: readonly number[];
  /** The tier of brand they like to pay for. */
  readonly budget: number;
  /** How often they stay with a brand. */
  readonly loyalty: number;
  /** Moments of their events, ascending, whole seconds apart. */
  readonly times: readonly number[];
}

/** How well a tier fits a budget, 0 … 1. */
export function priceFit(tier: number, budget: number): number {
  return Math.exp(-((tier - budget) ** 2) / 0.8);
}

/** Draws user `n` (from 0); the same whatever the number of users. */
export function drawUser(config: GenerateConfig, world: World, n: number): User {
  const rng = Random.of(config.seed, 'user', n);
  const age = rng.int(AGE_GROUPS.length);
  const country = rng.int(COUNTRIES.length);
  const budget = (age - 2) * 0.3 + 0.5 * rng.normal();
  const loyalty = 0.4 + 0.5 * rng.uniform();
  return {
    id: `u${String(n + 1).padStart(5, '0')}`,
    age,
    country,
    tastes: drawTastes(world, age, rng),
    budget,
    loyalty,
    times: drawTimes(config, world, rng),
  };
}

/** Three hobbies of unequal weight, and a little of all the others. */
function drawTastes(world: World, age: number, rng: Random): number[] {
  const liking = world.tastes.map((taste, t) => taste.popularity * world.affinity[age]![t]!);
  const total = liking.reduce((a, b) => a + b, 0);
  const mixture = liking.map((l) => (0.05 * l) / total);
  const open = [...liking];
  const shares = [0.55, 0.28, 0.12].slice(0, world.tastes.length);
  const whole = shares.reduce((a, b) => a + b, 0.05);
  for (const share of shares) {
    const t = draw(open, rng);
    mixture[t]! += share;
    open[t] = 0;
  }
  return mixture.map((m) => m / whole);
}

/** Events in sessions from when the user joined until they left; cold users came lately and did little. */
function drawTimes(config: GenerateConfig, world: World, rng: Random): number[] {
  const cold = rng.uniform() < config.coldUsers;
  const span = world.end - world.start;
  const joined = world.start + span * (cold ? 0.8 + 0.15 * rng.uniform() : 0.75 * rng.uniform());
  const left = world.end - (world.end - joined) * 0.3 * rng.uniform() ** 3;
  const most = config.events * 3;
  const drawn = Math.round(config.events * Math.exp(0.6 * rng.normal() - 0.18));
  const count = cold ? 3 + rng.int(3) : Math.max(6, Math.min(most, drawn));
  const sessions: number[] = [];
  for (let open = count; open > 0; ) {
    const size = Math.min(open, 1 + Math.floor(-2.5 * Math.log(1 - rng.uniform())));
    sessions.push(size);
    open -= size;
  }
  const starts = sessions.map(() => joined + (left - joined) * rng.uniform()).sort((a, b) => a - b);
  const times: number[] = [];
  sessions.forEach((size, s) => {
    let time = Math.floor(starts[s]! / 1000) * 1000;
    for (let i = 0; i < size; i++) {
      time = Math.max(time, (times.at(-1) ?? 0) + 1000) + 1000 * (10 + rng.int(240));
      times.push(time);
    }
  });
  return times;
}

/** An index drawn in proportion to weights. Some weight must be positive. */
export function draw(weights: ArrayLike<number>, rng: Random): number {
  let total = 0;
  for (let i = 0; i < weights.length; i++) total += weights[i]!;
  let at = rng.uniform() * total;
  let last = 0;
  for (let i = 0; i < weights.length; i++) {
    if (weights[i]! <= 0) continue;
    last = i;
    at -= weights[i]!;
    if (at < 0) return i;
  }
  return last;
}
