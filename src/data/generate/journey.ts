import type { Random } from '../../random.js';
import { draw, priceFit, type User } from './users.js';
import { BASKET, BEHAVIOURS, type BehaviourName } from './vocabulary.js';
import type { World } from './world.js';

/** Why a user turns to an item. */
type Intent = 'compare' | 'progress' | 'change' | 'explore';

/** What comes after what: someone who looked compares brands, someone who bought goes on to the next thing they need. */
const NEXT_INTENT: Record<BehaviourName | 'nothing', Readonly<Record<Intent, number>>> = {
  nothing: { compare: 0, progress: 0, change: 0.95, explore: 0.05 },
  view: { compare: 0.62, progress: 0.1, change: 0.24, explore: 0.04 },
  favourite: { compare: 0.12, progress: 0.3, change: 0.54, explore: 0.04 },
  cart: { compare: 0.04, progress: 0.66, change: 0.26, explore: 0.04 },
  purchase: { compare: 0, progress: 0.78, change: 0.18, explore: 0.04 },
};

/** Probability that the item of a well-fitting price ends in the basket. */
const BASKET_RATE: Readonly<Record<Intent, number>> = {
  compare: 0.22,
  progress: 0.75,
  change: 0.45,
  explore: 0.2,
};

/** Steps along a hobby's kinds, and where one begins. */
const STRIDES = [0.8, 0.2];
const ENTRY = [0.6, 0.25, 0.15];

export interface Event {
  /** Index into `world.items`. */
  readonly item: number;
  readonly behaviour: BehaviourName;
}

/** One way the next event can come about: its probability, and the items it leads to. */
interface Branch {
  readonly intent: Intent;
  readonly probability: number;
  readonly shelf: readonly number[];
  /** The brand a loyal user stays with, or −1. */
  readonly brand: number;
}

/** A user on their way through the shop: where they are in each hobby, and what they have met. */
export class Journey {
  private readonly met = new Set<number>();
  /** Last kind and brand in each hobby; −1 before the first. */
  private readonly kind: number[];
  private readonly brand: number[];
  private last: { readonly taste: number; readonly behaviour: BehaviourName } | undefined;
  private readonly fit: number[];
  private readonly liking: number[];

  constructor(
    private readonly world: World,
    private readonly user: User,
  ) {
    this.kind = world.tastes.map(() => -1);
    this.brand = world.tastes.map(() => -1);
    this.fit = world.brands.map(({ tier }) => priceFit(tier, user.budget));
    this.liking = world.brands.map(
      ({ country }, b) => (0.05 + this.fit[b]!) * (country === user.country ? 1.8 : 1),
    );
  }

  /** Draws the next event, at a moment, and takes it. Undefined once there is nothing left to meet. */
  step(time: number, rng: Random): Event | undefined {
    const branches = this.branches(time);
    const open = branches.map((b) => b.probability);
    while (open.some((p) => p > 0)) {
      const index = draw(open, rng);
      const branch = branches[index]!;
      const weights = this.weights(branch, time);
      if (weights.every((w) => w === 0)) {
        open[index] = 0;
        continue;
      }
      const item = branch.shelf[draw(weights, rng)]!;
      const event = { item, behaviour: this.drawBehaviour(branch.intent, item, rng) };
      this.take(event);
      return event;
    }
    return undefined;
  }

  /**
   * Probability of every item to be the next event's, given what the user is and did; where `behaviours` are given,
   * given also that it is one of these.
   */
  distribution(time: number, behaviours?: readonly BehaviourName[]): Float64Array {
    const out = new Float64Array(this.world.items.length);
    for (const branch of this.branches(time)) {
      const weights = this.weights(branch, time);
      const total = weights.reduce((a, b) => a + b, 0);
      if (total === 0) continue;
      branch.shelf.forEach((item, i) => {
        const known = behaviours === undefined ? 1 : this.behaviourRate(branch.intent, item, behaviours);
        out[item]! += (branch.probability * weights[i]! * known) / total;
      });
    }
    const sum = out.reduce((a, b) => a + b, 0);
    return sum === 0 ? out : out.map((p) => p / sum);
  }

  /** Goes on as if the event had happened. */
  take({ item, behaviour }: Event): void {
    const { taste, kind, brand } = this.world.items[item]!;
    this.met.add(item);
    this.kind[taste] = kind;
    this.brand[taste] = brand;
    this.last = { taste, behaviour };
  }

  private branches(time: number): Branch[] {
    const { world, last } = this;
    const chance = NEXT_INTENT[last?.behaviour ?? 'nothing'];
    const out: Branch[] = [
      { intent: 'explore', probability: chance.explore, shelf: world.everything, brand: -1 },
    ];
    if (last) {
      const { taste } = last;
      const shelf = world.shelf[taste]![this.kind[taste]!]!;
      out.push({ intent: 'compare', probability: chance.compare, shelf, brand: -1 });
      this.onwards(taste, 'progress', chance.progress, out);
    }
    const attention = world.tastes.map(({ phase }, t) =>
      t === last?.taste ? 0 : this.user.tastes[t]! * season(world, phase, time),
    );
    const total = attention.reduce((a, b) => a + b, 0);
    attention.forEach((weight, t) => {
      if (weight > 0) this.onwards(t, 'change', (chance.change * weight) / total, out);
    });
    return out;
  }

  /** The next kinds in a hobby: on from where the user is in it, or one to begin with. */
  private onwards(taste: number, intent: Intent, probability: number, into: Branch[]): void {
    const shelves = this.world.shelf[taste]!;
    const at = this.kind[taste]!;
    const [steps, from] = at < 0 ? [ENTRY, 0] : [STRIDES, at + 1];
    steps.forEach((share, i) => {
      const shelf = shelves[(from + i) % shelves.length]!;
      into.push({ intent, probability: probability * share, shelf, brand: this.brand[taste]! });
    });
  }

  /** Weight of each item of a branch's shelf: 0 for what the user has met or is not out yet. */
  private weights({ shelf, brand }: Branch, time: number): number[] {
    const { items, brands } = this.world;
    const at = (time - this.world.start) / (this.world.end - this.world.start) - 0.5;
    const weights = shelf.map((i) => {
      const item = items[i]!;
      if (item.released > time || this.met.has(i)) return 0;
      const fashion = Math.exp(this.world.drift * brands[item.brand]!.fashion * at);
      return item.appeal * fashion * novelty(time - item.released) * this.liking[item.brand]!;
    });
    const kept = shelf.findIndex((i, n) => items[i]!.brand === brand && weights[n]! > 0);
    if (kept < 0) return weights;
    const total = weights.reduce((a, b) => a + b, 0);
    const { loyalty } = this.user;
    return weights.map((w, n) => ((1 - loyalty) * w) / total + (n === kept ? loyalty : 0));
  }

  private basketRate(intent: Intent, item: number): number {
    return BASKET_RATE[intent] * (0.25 + 0.75 * this.fit[this.world.items[item]!.brand]!);
  }

  private behaviourRate(intent: Intent, item: number, behaviours: readonly BehaviourName[]): number {
    const basket = this.basketRate(intent, item);
    return behaviours.reduce((sum, b) => sum + SHARE[b] * (BASKET.includes(b) ? basket : 1 - basket), 0);
  }

  private drawBehaviour(intent: Intent, item: number, rng: Random): BehaviourName {
    return BEHAVIOURS[
      draw(
        BEHAVIOURS.map((b) => this.behaviourRate(intent, item, [b])),
        rng,
      )
    ]!;
  }
}

/** Of what is put in the basket, and of what is not, the share of each behaviour. */
const SHARE: Readonly<Record<BehaviourName, number>> = {
  view: 0.8,
  favourite: 0.2,
  cart: 0.4,
  purchase: 0.6,
};

/** A hobby's season: a year's wave. */
function season(world: World, phase: number, time: number): number {
  const year = (time - world.start) / (365 * 86_400_000);
  return Math.exp(0.8 * world.drift * Math.cos(2 * Math.PI * (year - phase)));
}

/** What came out lately is looked at more. */
function novelty(age: number): number {
  const days = age / 86_400_000;
  return days > 90 ? 1 : 1 + 2 * Math.exp(-days / 15);
}
