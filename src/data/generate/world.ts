import { Random } from '../../random.js';
import type { GenerateConfig } from './schema.js';
import { AGE_GROUPS, BRANDS, COUNTRIES, LEVELS, TAGS, TASTES } from './vocabulary.js';

const DAY = 86_400_000;

export interface Item {
  readonly id: string;
  readonly taste: number;
  readonly kind: number;
  readonly brand: number;
  readonly price: number;
  /** Milliseconds since the epoch; before it nobody meets the item. */
  readonly released: number;
  readonly appeal: number;
  readonly tags: readonly string[];
}

export interface Brand {
  readonly name: string;
  /** Where it stands from cheap to dear, about −1.5 … 1.5. */
  readonly tier: number;
  readonly country: number;
  /** Slope of its popularity over the log, in log units. */
  readonly fashion: number;
}

export interface Taste {
  readonly name: string;
  readonly kinds: readonly string[];
  readonly popularity: number;
  /** When in the year its season is, 0 … 1. */
  readonly phase: number;
  /** Brand indices, the most liked first. */
  readonly brands: readonly number[];
}

/** Everything of the generated shop that does not depend on a user. */
export interface World {
  readonly start: number;
  readonly end: number;
  readonly drift: number;
  readonly tastes: readonly Taste[];
  readonly brands: readonly Brand[];
  readonly items: readonly Item[];
  /** shelf[taste][kind]: item indices (into `items`, from 0). */
  readonly shelf: readonly (readonly (readonly number[])[])[];
  /** All of them. */
  readonly everything: readonly number[];
  /** [age group][taste]: how much an age group likes a hobby. */
  readonly affinity: readonly (readonly number[])[];
}

/** Builds the shop: hobbies with a long-tailed popularity, brands with a tier, a home and a fashion, one item a kind and brand. */
export function buildWorld(config: GenerateConfig): World {
  const rng = Random.of(config.seed, 'world');
  const start = Date.parse(`${config.start}T00:00:00Z`);
  const end = start + config.days * DAY;
  const brands = BRANDS.map((name) => ({
    name,
    tier: clamp(rng.normal() * 0.7, 1.5),
    country: rng.int(COUNTRIES.length),
    fashion: rng.normal() * 1.2,
  }));
  const ranks = rng.shuffle(Int32Array.from({ length: config.tastes }, (_, i) => i));
  const tastes = TASTES.slice(0, config.tastes).map((taste, t) => ({
    ...taste,
    popularity: (ranks[t]! + 1) ** -0.8,
    phase: rng.uniform(),
    brands: [...rng.shuffle(Int32Array.from(brands, (_, i) => i)).slice(0, config.brands)],
  }));
  const items: Item[] = [];
  const shelf = tastes.map((taste, t) =>
    taste.kinds.map((_, kind) => {
      const base = 8 * Math.exp(2.2 * rng.uniform());
      return taste.brands.map((brand, rank) => {
        const { tier } = brands[brand]!;
        items.push({
          id: '',
          taste: t,
          kind,
          brand,
          price: Math.round(base * Math.exp(0.5 * tier + 0.1 * rng.normal()) * 100) / 100,
          released: releaseDate(config, start, rng),
          appeal: (rank + 1) ** -0.9 * Math.exp(0.4 * rng.normal()),
          tags: tagsOf(kind / taste.kinds.length, rng),
        });
        return items.length - 1;
      });
    }),
  );
  const affinity = AGE_GROUPS.map(() => tastes.map(() => Math.exp(0.8 * rng.normal())));
  return {
    start,
    end,
    drift: config.drift,
    tastes,
    brands,
    items: numbered(items, rng),
    shelf,
    everything: items.map((_, i) => i),
    affinity,
  };
}

/** "Trail Shoes — Apex": what it is and who makes it. */
export function titleOf(world: World, item: Item): string {
  return `${world.tastes[item.taste]!.kinds[item.kind]} — ${world.brands[item.brand]!.name}`;
}

/** Ids in random order: a number that told the hobby would be an attribute of its own. */
function numbered(items: readonly Item[], rng: Random): Item[] {
  const numbers = rng.shuffle(Int32Array.from(items, (_, i) => i));
  return items.map((item, i) => ({ ...item, id: `i${String(numbers[i]! + 1).padStart(5, '0')}` }));
}

function releaseDate(config: GenerateConfig, start: number, rng: Random): number {
  const late = rng.uniform() < config.lateItems;
  const last = rng.uniform() < 1 / 3;
  const where = rng.uniform();
  if (!late) return start - Math.floor(where * 700) * DAY;
  return start + Math.floor((last ? 0.9 + 0.1 * where : 0.9 * where) * config.days) * DAY;
}

function tagsOf(progress: number, rng: Random): string[] {
  const level = LEVELS[Math.min(LEVELS.length - 1, Math.floor(progress * LEVELS.length))]!;
  return [level, ...TAGS.filter(() => rng.uniform() < 0.15)];
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}
