import { topK } from '../compute/topk.js';
import { type Question, way } from '../data/questions.js';
import type { Catalogue, Query } from '../types.js';
import { OpenCatalogue } from './open-catalogue.js';
import type { UserHistories } from './users.js';

/** What to ask new users about, as `recsys elicit` chose it. */
export interface Questions {
  readonly strategy: string;
  /** Item ids, the first question first; with a tree, what is asked once that has ended. */
  readonly items: readonly string[];
  readonly tree?: Question<string> | undefined;
}

export interface AskedItem {
  readonly item: string;
  readonly title: string;
}

/**
 * Items to ask a user about, none that the user knows or was asked about: what follows in the tree from the user's events, then the
 * list, or popular items where there is neither.
 */
export class Elicitation {
  /**
   * @param popularity [items + 1], as it changes
   */
  constructor(
    private readonly catalogue: Catalogue,
    private readonly histories: UserHistories,
    private readonly popularity: Float32Array,
    private readonly questions: Questions | undefined,
    private readonly index: Pick<OpenCatalogue, 'get' | 'size'> = new OpenCatalogue(catalogue),
  ) {}

  /** @param k how many; the second and later ones of a tree are those that follow if the first are not known */
  next(user: string, asked: readonly string[], k: number): { strategy: string; items: AskedItem[] } {
    const { catalogue, questions } = this;
    const query = this.histories.query(user);
    const barred = new Set([...query.items, ...asked.flatMap((id) => this.index.get(id) ?? [])]);
    const open = questions
      ? [
          ...this.fromTree(questions.tree, query),
          ...questions.items.flatMap((id) => this.index.get(id) ?? []),
        ]
      : topK(this.popularity, 0, this.index.size, k, barred).items;
    const chosen = [...new Set(open)].filter((i) => !barred.has(i)).slice(0, k);
    return {
      strategy: questions?.strategy ?? 'popular',
      items: chosen.map((i) => ({ item: catalogue.items[i]!, title: catalogue.titles[i] ?? '' })),
    };
  }

  /** The questions on a user's way through the tree. */
  private fromTree(root: Question<string> | undefined, { items, values }: Query): number[] {
    const asked = way(root, (item) => {
      const at = items.lastIndexOf(this.index.get(item) ?? 0);
      // Values that are not kept, and events without one, say that the item is known.
      return at < 0 ? undefined : (values?.[at] ?? Number.NaN);
    });
    return asked.flatMap((item) => this.index.get(item) ?? []);
  }
}
