import { hash32 } from '../../random.js';

/** One item that was shown, and what came of it. */
export interface Shown {
  readonly user: string;
  readonly item: string;
  /** Place in the list, from 0. */
  readonly place: number;
  readonly reward: number;
}

const FOLDS = 5;
/** Showings that a place's mean counts for in an item's. */
const PRIOR = 20;

/** Which part of the users one belongs to: what is expected of a user's lists is learned from the other parts. */
export const foldOf = (user: string): number => hash32(user, 0x0f0) % FOLDS;

interface Mean {
  sum: number;
  count: number;
}

/**
 * Reward of an item at a place: the place's mean, and the item's own above or below it, shrunk (empirical Bayes with a prior of 20 showings). Means are of other users than
 * the one that is asked about, so that a list's own reward has no part in what is expected of it (cross-fitting: Chernozhukov et al. 2018).
 */
export class ItemMeans {
  private readonly places: Mean[][] = Array.from({ length: FOLDS }, () => []);
  private readonly items: Map<string, Mean>[] = Array.from({ length: FOLDS }, () => new Map());

  constructor(shown: Iterable<Shown>) {
    const all = [...shown];
    for (const { user, place, reward } of all)
      this.others(user, (fold) => {
        const places = this.places[fold]!;
        places[place] ??= { sum: 0, count: 0 };
        add(places[place], reward);
      });
    // An item's own part is what it earned beyond the means of the places it was shown at.
    for (const { user, item, place, reward } of all)
      this.others(user, (fold) => {
        const items = this.items[fold]!;
        if (!items.has(item)) items.set(item, { sum: 0, count: 0 });
        add(items.get(item)!, reward - meanOf(this.places[fold]![place]));
      });
  }

  /** What is expected of an item at a place of a user's list. */
  expected(user: string, item: string, place: number): number {
    const fold = foldOf(user);
    const own = this.items[fold]!.get(item);
    return meanOf(this.places[fold]![place]) + (own ? own.sum / (own.count + PRIOR) : 0);
  }

  private others(user: string, into: (fold: number) => void): void {
    const own = foldOf(user);
    for (let fold = 0; fold < FOLDS; fold++) if (fold !== own) into(fold);
  }
}

function add(mean: Mean, value: number): void {
  mean.sum += value;
  mean.count++;
}

const meanOf = (mean: Mean | undefined): number => (mean && mean.count > 0 ? mean.sum / mean.count : 0);
