import type { Dataset } from '../data/dataset.js';
import type { Impressions } from '../data/read-impressions.js';
import { sha256 } from '../storage/hash.js';
import { candidateMask, countCandidates } from './candidates.js';
import { type ImpressionTask, impressionQueries } from './impressions.js';
import { type Protocol, protocolOf } from './protocol.js';
import {
  type Evaluation,
  evaluationQueries,
  type Part,
  type QueryOptions,
  unseenTargets,
} from './queries.js';

/** The settings of an evaluation that make its question. */
export interface TaskSettings {
  readonly part: Part;
  readonly ks: readonly number[];
  readonly filterSeen: boolean;
  readonly candidates?: 'train' | 'all' | undefined;
  readonly targetBehaviours?: readonly string[] | undefined;
  readonly unseenTargets?: boolean | undefined;
  readonly sampledNegatives?: number | undefined;
  readonly maxUsers?: number | undefined;
  readonly asked?: 'target' | 'any' | undefined;
  readonly seed: number;
}

/** One question put to every row of a table: the same queries, candidates and rules. */
export interface Task {
  readonly dataset: Dataset;
  readonly settings: TaskSettings;
  readonly evaluation: Evaluation;
  /** Mask [items + 1]. */
  readonly candidates: Uint8Array;
  readonly protocol: Protocol;
  /** Targets that are in their user's own history: with the seen filter they compete with unseen items only. */
  readonly repeatedTargets: number;
  /** Of a task of impressions: what was shown in those asked about, and which are not asked about. */
  readonly impressions?: ShownFacts;
}

/** What a reader must know of the impressions. */
export interface ShownFacts {
  /** Items shown, in all impressions that are asked about. */
  readonly shown: number;
  /** Of these, how many have no train row. */
  readonly untrained: number;
  /** Impressions left out because all that they showed was clicked. */
  readonly onlyClicked: number;
}

/**
 * @param impressions the part's, where each of them is to be ranked by itself
 * @throws CONFIG_INVALID for an unknown behaviour, DATA_EMPTY where no user has a target
 */
export function evaluationTask(dataset: Dataset, settings: TaskSettings, impressions?: Impressions): Task {
  const { part, ks, filterSeen, targetBehaviours, sampledNegatives, maxUsers, asked, seed } = settings;
  const catalogue = settings.candidates ?? dataset.manifest.split.catalogue;
  const candidates = candidateMask(dataset, catalogue);
  const which: QueryOptions = {
    ...(targetBehaviours ? { targetBehaviours } : {}),
    ...(maxUsers === undefined ? {} : { maxUsers }),
    ...(asked ? { asked } : {}),
    seed,
  };
  const offered = impressions && impressionQueries(dataset, impressions, which);
  const all = offered?.evaluation ?? evaluationQueries(dataset, part, which);
  const evaluation = settings.unseenTargets ? unseenTargets(all) : all;
  const protocol = protocolOf(dataset, {
    part,
    filterSeen: filterSeen && !offered,
    candidates: catalogue,
    catalogue: countCandidates(candidates),
    ks,
    users: new Set(evaluation.queries.map(({ user }) => user)).size,
    ...(offered ? { impressions: evaluation.queries.length } : {}),
    querySet: querySetHash(dataset, evaluation),
    ...(targetBehaviours ? { targetBehaviours } : {}),
    ...(settings.unseenTargets ? { unseenTargets: true } : {}),
    ...(sampledNegatives === undefined ? {} : { sampledNegatives }),
  });
  return {
    ...{ dataset, settings, evaluation, candidates, protocol },
    repeatedTargets: countRepeated(evaluation),
    ...(offered ? { impressions: factsOf(dataset, offered) } : {}),
  };
}

function factsOf({ catalogue }: Dataset, { evaluation: { shown }, onlyClicked }: ImpressionTask): ShownFacts {
  const untrained = shown.map((items) => items.filter((item) => catalogue.itemCounts[item] === 0).length);
  const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
  return { shown: sum(shown.map((items) => items.length)), untrained: sum(untrained), onlyClicked };
}

function countRepeated({ queries, targets }: Evaluation): number {
  let count = 0;
  queries.forEach((query, q) => {
    const history = new Set(query.items);
    for (const item of targets[q]!) if (history.has(item)) count++;
  });
  return count;
}

/** Hash of who is asked and what is right, by external ids and independent of the numbering. */
function querySetHash(dataset: Dataset, evaluation: Evaluation): string {
  const { users, items } = dataset.catalogue;
  const ids = (of: Int32Array) => Array.from(of, (item) => items[item]).sort();
  const lines = evaluation.queries.map((query, q) =>
    JSON.stringify([
      users[query.user],
      ids(evaluation.targets[q]!),
      ...(evaluation.shown ? [ids(evaluation.shown[q]!)] : []),
    ]),
  );
  return sha256(lines.sort().join('\n'));
}
