import { type Dataset, SPLIT } from '../data/dataset.js';
import { RecsysError } from '../errors.js';
import { Random } from '../random.js';
import type { Query } from '../types.js';

export type Part = 'validation' | 'test';

/** What is asked of a scorer, and what is right: three parallel lists, one entry a query. */
export interface Evaluation {
  readonly queries: readonly Query[];
  /** Distinct relevant items, ascending; never empty. */
  readonly targets: readonly Int32Array[];
  /** Items the seen filter removes, ascending: the history's without the targets. */
  readonly seen: readonly Int32Array[];
  /** Present where a query has candidates of its own: what was shown together, each item once. */
  readonly shown?: readonly Int32Array[];
  /** What each query is called where a user may be asked more than once; absent: the user's id. */
  readonly ids?: readonly string[];
}

export interface QueryOptions {
  /** Names of the behaviours whose rows are targets; default all. Histories always hold every behaviour. */
  readonly targetBehaviours?: readonly string[];
  /** At most so many queries, drawn with `seed`; default all. */
  readonly maxUsers?: number;
  readonly seed?: number;
  /** What is asked: the item that comes next by the behaviour of the targets (where theirs is one), or by any. Default: target. */
  readonly asked?: 'target' | 'any';
}

/** Whether a row of the part has one of the behaviours; absent: any. */
export function hasTargets(
  { interactions: rows, catalogue }: Dataset,
  part: Part,
  behaviours?: readonly string[],
): boolean {
  const wanted = catalogue.behaviours.map((name) => behaviours?.includes(name) ?? true);
  for (let r = 0; r < rows.length; r++)
    if (rows.split[r] === SPLIT[part] && wanted[rows.behaviour[r]!]) return true;
  return false;
}

/**
 * One query for every user with a target row in `part`.
 *
 * Temporal order: the history is every row before the user's first target row (for the test part that includes the
 * validation rows). Random order: every row of an earlier part, as rows then have no before and after.
 *
 * @throws CONFIG_INVALID for an unknown behaviour, DATA_EMPTY where no user has a target
 */
export function evaluationQueries(dataset: Dataset, part: Part, options: QueryOptions = {}): Evaluation {
  const { interactions: rows, catalogue, manifest } = dataset;
  const code = SPLIT[part];
  const wanted = targetCodes(catalogue.behaviours, options.targetBehaviours);
  const timed = manifest.time === 'epoch';
  const temporal = manifest.split.order === 'temporal';
  const users: number[] = [];
  const firsts: number[] = [];
  for (let user = 1; user < catalogue.users.length; user++) {
    const end = rows.offsets[user + 1]!;
    let first = rows.offsets[user]!;
    while (first < end && !(rows.split[first] === code && wanted[rows.behaviour[first]!] === 1)) first++;
    if (first === end) continue;
    users.push(user);
    firsts.push(first);
  }
  if (users.length === 0) {
    const which = options.targetBehaviours ? ` with behaviour ${options.targetBehaviours.join(', ')}` : '';
    throw new RecsysError('DATA_EMPTY', `${manifest.name} has no ${part} rows${which}: nothing to evaluate`);
  }
  const chosen = chooseQueries(users.length, options.maxUsers, options.seed);
  const queries: Query[] = [];
  const targets: Int32Array[] = [];
  const seen: Int32Array[] = [];
  for (const index of chosen) {
    const user = users[index]!;
    const start = rows.offsets[user]!;
    const end = rows.offsets[user + 1]!;
    const first = firsts[index]!;
    const items: number[] = [];
    const behaviours: number[] = [];
    const times: number[] = [];
    const values: number[] = [];
    const relevant = new Set<number>();
    const by = new Set<number>();
    for (let row = start; row < end; row++) {
      const item = rows.item[row]!;
      if (rows.split[row] === code && wanted[rows.behaviour[row]!] === 1) {
        relevant.add(item);
        by.add(rows.behaviour[row]!);
      } else if (temporal ? row < first && rows.split[row]! <= code : rows.split[row]! < code) {
        items.push(item);
        behaviours.push(rows.behaviour[row]!);
        times.push(rows.time[row]!);
        values.push(rows.value[row]!);
      }
    }
    queries.push({
      user,
      items: Int32Array.from(items),
      behaviours: Uint8Array.from(behaviours),
      ...(timed ? { times: Float64Array.from(times) } : {}),
      values: Float32Array.from(values),
      ...(by.size === 1 && options.asked !== 'any' ? { asks: [...by][0]! } : {}),
    });
    targets.push(Int32Array.from(relevant).sort());
    seen.push(Int32Array.from(new Set(items.filter((item) => !relevant.has(item)))).sort());
  }
  return { queries, targets, seen };
}

/**
 * The same question without repeats: targets that are in their user's own history are no targets but seen, and users without another
 * target are not asked about.
 *
 * @throws DATA_EMPTY where no target is left
 */
export function unseenTargets({ queries, targets }: Evaluation): Evaluation {
  const left = queries.flatMap((query, q) => {
    const history = new Set(query.items);
    const unseen = targets[q]!.filter((item) => !history.has(item));
    return unseen.length > 0 ? [{ query, unseen, history: Int32Array.from(history).sort() }] : [];
  });
  if (left.length === 0)
    throw new RecsysError('DATA_EMPTY', 'every target is in its user’s history: nothing is left to evaluate');
  return {
    queries: left.map(({ query }) => query),
    targets: left.map(({ unseen }) => unseen),
    seen: left.map(({ history }) => history),
  };
}

/**
 * Mask [256] of the behaviours' codes: 1 for the named ones, or for all where none is named.
 *
 * @throws CONFIG_INVALID for an unknown name
 */
export function targetCodes(behaviours: readonly string[], names: readonly string[] | undefined): Uint8Array {
  const codes = new Uint8Array(256);
  if (names === undefined || names.length === 0) return codes.fill(1);
  for (const name of names) {
    const code = behaviours.indexOf(name);
    if (code < 0) {
      throw new RecsysError(
        'CONFIG_INVALID',
        `targetBehaviours: the dataset has no behaviour ${name}; it has ${behaviours.join(', ')}`,
      );
    }
    codes[code] = 1;
  }
  return codes;
}

/** Indices of at most `most` of `count` queries, ascending. */
export function chooseQueries(count: number, most: number | undefined, seed = 0): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  if (most === undefined || most >= count) return order;
  return Random.of(seed, 'evaluation users').shuffle(order).slice(0, most).sort();
}
