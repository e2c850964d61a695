import type { ItemScores } from '../../compute/topk.js';
import type { RecommendRequest } from '../../protocol/recommendations.js';
import type { Query } from '../../types.js';
import type { OnlineLearner } from '../learner.js';
import { MicroBatch } from '../micro-batch.js';
import type { UserAdaptation } from '../user-adaptation.js';
import type { Retrieval } from './retrieval.js';

interface AskedOfUser {
  readonly query: Query;
  readonly user: string;
}

/** Scores of candidates, as the learner and what was learned of each user have them. */
export class Proposing {
  private readonly states: MicroBatch<Query>;
  private readonly statesOfUsers: MicroBatch<AskedOfUser>;

  constructor(
    learner: Pick<OnlineLearner, 'states'>,
    private readonly adaptation: UserAdaptation | undefined,
    private readonly retrieval: Pick<Retrieval, 'ready' | 'scores'>,
  ) {
    this.states = new MicroBatch((queries) => learner.states!.products!.adapt(queries));
    this.statesOfUsers = new MicroBatch((asked) =>
      adaptation!.statesOf(
        asked.map(({ query }) => query),
        asked.map(({ user }) => user),
      ),
    );
  }

  /**
   * How the candidates of a request are scored; undefined where every item is, while there is no index, and for what needs it: items that are named, an
   * adapter's vectors, and reasons by what scores lose.
   */
  of({
    user = '',
    state,
    candidates,
    adapter,
    reasons,
  }: RecommendRequest): ((query: Query) => Promise<ItemScores>) | undefined {
    const { retrieval, adaptation } = this;
    if (!retrieval.ready || candidates || adapter !== undefined || reasons) return undefined;
    if (state) return ({ items }) => retrieval.scores(Float32Array.from(state), items);
    if (!adaptation?.changes(user))
      return async (query) => retrieval.scores(await this.states.ask(query), query.items);
    return async (query) => {
      const adapted = await this.statesOfUsers.ask({ query, user });
      return adaptation.adjusted(await retrieval.scores(adapted, query.items), query, user);
    };
  }
}
