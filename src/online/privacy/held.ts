import type { Catalogue } from '../../types.js';
import type { Guard } from '../guard/guard.js';
import type { Adaptations } from '../guard/learned.js';
import type { LearningState } from '../guard/learning-state.js';
import type { Journal } from '../journal.js';
import type { LearnQueue } from '../queue.js';
import type { RecentIds } from '../recent.js';
import type { Recommender } from '../recommend.js';
import { ReplyError } from '../replies.js';
import type { UserHistories } from '../users.js';
import type { ClosedJournal, Intent } from './erased-events.js';

export interface HeldUsersOptions {
  readonly catalogue: Catalogue;
  readonly histories: UserHistories;
  readonly adaptations: Adaptations;
  readonly recent: RecentIds;
  readonly state: LearningState;
  readonly guard: Guard;
  readonly queue: LearnQueue;
  readonly recommender: Pick<Recommender, 'forget'>;
  /** Directory of the journal. */
  readonly directory: string;
  journal(): Journal;
}

/** What a running service holds of single users, and how it lets go of it. */
export class HeldUsers {
  constructor(private readonly options: HeldUsersOptions) {}

  get directory(): string {
    return this.options.directory;
  }

  /** Whether anything is held of a user. */
  has(user: string): boolean {
    const { histories, adaptations, state } = this.options;
    const { served, adapted } = adaptations;
    return (
      histories.has(user) || served?.has(user) || adapted?.has(user) || state.budget.of(user) > 0 || false
    );
  }

  /** All that is held of a user: history as served, own weights, events that count against the budget. */
  of(user: string) {
    const { histories, adaptations, catalogue, state } = this.options;
    const { items, behaviours, times, values } = histories.query(user);
    return {
      history: Array.from(items, (item, i) => ({
        item: catalogue.items[item]!,
        behaviour: catalogue.behaviours[behaviours[i]!]!,
        ...(times ? { time: times[i]! } : {}),
        ...(values && !Number.isNaN(values[i]) ? { value: values[i]! } : {}),
      })),
      weights: numbers(adaptations.served?.weights(user)),
      measuredWeights: numbers(adaptations.adapted?.weights(user)),
      budget: state.budget.of(user),
    };
  }

  /**
   * Journals between two updates that a user is to be erased, and lets go of history, own weights, budget, events that wait and lists.
   * @throws ReplyError STORAGE, NOT_READY
   */
  async forget(user: string): Promise<Intent> {
    const { histories, adaptations, guard, queue, recommender } = this.options;
    let at = 0;
    if (!this.options.journal().writable)
      throw new ReplyError('STORAGE', 'the journal cannot be written; nothing was done');
    await queue.order([{ type: 'erase', user } as const], (_record, seq) => {
      at = seq;
      histories.forget(user);
      for (const one of Object.values(adaptations)) one.forget(user);
      queue.forget(user);
      guard.forget(user);
      recommender.forget(user);
    });
    return { user, seq: at };
  }

  /** Lets go of ids of events. */
  forgetEvents(gone: (seq: number) => boolean, ids: ReadonlySet<string>): void {
    this.options.recent.forget(gone);
    this.options.guard.alerts.forget((id) => ids.has(id));
  }

  /** The journal's files, with all records so far in closed segments. */
  async closed(): Promise<ClosedJournal> {
    const { directory, journal } = this.options;
    return { directory, segments: await journal().seal() };
  }

  /** First and last record in the journal. */
  get records(): { readonly first: number; readonly last: number } {
    const { firstSeq: first, lastSeq: last } = this.options.journal();
    return { first, last };
  }
}

const numbers = (of: Float32Array | undefined): number[] | null => (of ? Array.from(of) : null);
