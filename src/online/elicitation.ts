import { topK } from '../compute/topk.js';
import type { Catalogue, Query } from '../types.js';
import type { UserHistories } from './users.js';

/** A question, and which one follows: where the item is not known, where its value is below the threshold, and else. */
export interface TreeQuestion {
  readonly item: string;
  readonly threshold: number;
  readonly next: {
    readonly unknown?: TreeQuestion | undefined;
    readonly low?: TreeQuestion | undefined;
    readonly high?: TreeQuestion | undefined;
  };
}

/** What to ask new users about, as `recsys elicit` chose it. */
export interface Questions {
  readonly strategy: string;
  /** Item ids, the first question first; with a tree, what is asked once that has ended. */
  readonly items: readonly string[];
  readonly tree?: TreeQuestion | undefined;
}

export interface Question {
  readonly item: string;
  readonly title: string;
}

/**
 * Items to ask a user about, none that the user knows or was asked about: what follows in the tree from the user's events, then the
 * list, or popular items where there is neither.
 */
export class Elicitation {
  private readonly index: ReadonlyMap<string, number>;

  /**
   * @param popularity [items + 1], as it changes
   */
  constructor(
    private readonly catalogue: Catalogue,
    private readonly histories: UserHistories,
    private readonly popularity: Float32Array,
    private readonly questions: Questions | undefined,
  ) {
    this.index = new Map(catalogue.items.map((id, i) => [id, i]));
  }

  /** @param k how many; the second and later ones of a tree are those that follow if the first are not known */
  next(user: string, asked: readonly string[], k: number): { strategy: string; items: Question[] } {
    const { catalogue, questions } = this;
    const query = this.histories.query(user);
    const barred = new Set([...query.items, ...asked.flatMap((id) => this.index.get(id) ?? [])]);
    const open = questions
      ? [
          ...this.fromTree(questions.tree, query),
          ...questions.items.flatMap((id) => this.index.get(id) ?? []),
        ]
      : topK(this.popularity, 0, catalogue.items.length, k, barred).items;
    const chosen = [...new Set(open)].filter((i) => !barred.has(i)).slice(0, k);
    return {
      strategy: questions?.strategy ?? 'popular',
      items: chosen.map((i) => ({ item: catalogue.items[i]!, title: catalogue.titles[i] ?? '' })),
    };
  }

  /** The questions on a user's way through the tree. */
  private fromTree(root: TreeQuestion | undefined, { items, values }: Query): number[] {
    const way: number[] = [];
    for (let node = root; node; ) {
      const { item, threshold, next }: TreeQuestion = node;
      const number = this.index.get(item) ?? 0;
      const at = items.lastIndexOf(number);
      if (number > 0) way.push(number);
      // Values that are not kept, and events without one, say that the item is known.
      const value = values?.[at] ?? Number.NaN;
      node = at < 0 ? next.unknown : value < threshold ? next.low : next.high;
    }
    return way;
  }
}
