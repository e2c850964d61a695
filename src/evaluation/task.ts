import type { Dataset } from '../data/dataset.js';
import { sha256 } from '../storage/hash.js';
import { candidateMask, countCandidates } from './candidates.js';
import { type Protocol, protocolOf } from './protocol.js';
import { type Evaluation, evaluationQueries, type Part, unseenTargets } from './queries.js';

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
}

/** @throws CONFIG_INVALID for an unknown behaviour, DATA_EMPTY where no user has a target */
export function evaluationTask(dataset: Dataset, settings: TaskSettings): Task {
  const { part, ks, filterSeen, targetBehaviours, sampledNegatives, maxUsers, asked, seed } = settings;
  const catalogue = settings.candidates ?? dataset.manifest.split.catalogue;
  const candidates = candidateMask(dataset, catalogue);
  const all = evaluationQueries(dataset, part, {
    ...(targetBehaviours ? { targetBehaviours } : {}),
    ...(maxUsers === undefined ? {} : { maxUsers }),
    ...(asked ? { asked } : {}),
    seed,
  });
  const evaluation = settings.unseenTargets ? unseenTargets(all) : all;
  const protocol = protocolOf(dataset, {
    part,
    filterSeen,
    candidates: catalogue,
    catalogue: countCandidates(candidates),
    ks,
    users: evaluation.queries.length,
    querySet: querySetHash(dataset, evaluation),
    ...(targetBehaviours ? { targetBehaviours } : {}),
    ...(settings.unseenTargets ? { unseenTargets: true } : {}),
    ...(sampledNegatives === undefined ? {} : { sampledNegatives }),
  });
  return { dataset, settings, evaluation, candidates, protocol, repeatedTargets: countRepeated(evaluation) };
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
  const lines = evaluation.queries.map((query, q) =>
    JSON.stringify([users[query.user], Array.from(evaluation.targets[q]!, (item) => items[item]).sort()]),
  );
  return sha256(lines.sort().join('\n'));
}
