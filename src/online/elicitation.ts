import { topK } from '../compute/topk.js';
import type { Catalogue } from '../types.js';
import type { UserHistories } from './users.js';

/** What to ask new users about, as `recsys elicit` chose it. */
export interface Questions {
  readonly strategy: string;
  /** Item ids, the first question first. */
  readonly items: readonly string[];
}

export interface Question {
  readonly item: string;
  readonly title: string;
}

/** Items to ask a user about: the next of the list that they neither know nor were asked about, or popular ones where there is no list. */
export class Elicitation {
  private readonly list: readonly number[] | undefined;

  /**
   * @param popularity [items + 1], as it changes
   */
  constructor(
    private readonly catalogue: Catalogue,
    private readonly histories: UserHistories,
    private readonly popularity: Float32Array,
    private readonly questions: Questions | undefined,
  ) {
    const index = new Map(catalogue.items.map((id, i) => [id, i]));
    this.list = questions?.items.flatMap((id) => index.get(id) ?? []);
  }

  next(user: string, asked: readonly string[], k: number): { strategy: string; items: Question[] } {
    const { catalogue } = this;
    const left = new Set(asked);
    const known = new Set(this.histories.query(user).items);
    const barred = { has: (i: number) => known.has(i) || left.has(catalogue.items[i]!) };
    const chosen = this.list
      ? this.list.filter((i) => !barred.has(i)).slice(0, k)
      : topK(this.popularity, 0, catalogue.items.length, k, barred).items;
    return {
      strategy: this.questions?.strategy ?? 'popular',
      items: Array.from(chosen, (i) => ({
        item: catalogue.items[i]!,
        title: catalogue.titles[i] ?? '',
      })),
    };
  }
}
