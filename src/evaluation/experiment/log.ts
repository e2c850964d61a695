import { z } from 'zod';
import { RecsysError } from '../../errors.js';
import { hint } from '../../nearest.js';
import { rewardsOf, servedFields, servedLists } from '../served-lists.js';

const row = z.object({
  ...servedFields,
  variant: z
    .object({ experiment: z.string(), name: z.string(), share: z.number().positive().max(1) })
    .optional(),
});

/** What came of one user's lists. */
export interface UserTotals {
  lists: number;
  /** Items of them on which a success came. */
  successes: number;
}

/** A variant as the log has it. */
export interface VariantLog {
  /** Of the users that are dealt to it, 0 to 1. */
  readonly share: number;
  readonly users: Map<string, UserTotals>;
}

export interface ExperimentLog {
  readonly experiment: string;
  readonly variants: ReadonlyMap<string, VariantLog>;
  /** Users whose lists were of several variants: they are in none of them here. */
  readonly switched: number;
  /** Lists of no experiment, or of another. */
  readonly outside: number;
}

/**
 * The lists of an experiment, by variant and user. One user's totals are in memory, not their lists.
 * @throws RecsysError DATA_UNREADABLE naming file and line · DATA_EMPTY where no list is of the experiment · CONFIG_INVALID where it is not said which of several is meant, or shares changed
 */
export async function readExperiment(
  lines: AsyncIterable<string>,
  where: string,
  {
    experiment: wanted,
    behaviours,
  }: { readonly experiment?: string | undefined; readonly behaviours: readonly string[] },
): Promise<ExperimentLog> {
  const variants = new Map<string, VariantLog>();
  const names = new Set<string>();
  const switched = new Set<string>();
  const variantOf = new Map<string, string>();
  let outside = 0;
  for await (const { at, list } of servedLists(row, lines, where)) {
    const { user, variant } = list;
    if (variant) names.add(variant.experiment);
    if (wanted === undefined && names.size > 1) throw several(at, names);
    if (!variant || user === undefined || (wanted ?? variant.experiment) !== variant.experiment) {
      outside++;
      continue;
    }
    const own = variants.get(variant.name) ?? { share: variant.share, users: new Map() };
    variants.set(variant.name, own);
    if (Math.abs(own.share - variant.share) > 1e-9) throw changed(at, variant, own.share);
    const before = variantOf.get(user) ?? variant.name;
    variantOf.set(user, before);
    if (before !== variant.name) switched.add(user);
    const totals = own.users.get(user) ?? { lists: 0, successes: 0 };
    own.users.set(user, totals);
    totals.lists++;
    totals.successes += rewardsOf(list, behaviours).reduce((sum, one) => sum + one, 0);
  }
  for (const user of switched) for (const { users } of variants.values()) users.delete(user);
  if (switched.size > 0 && [...variants.values()].every(({ users }) => users.size === 0))
    throw new RecsysError('DATA_EMPTY', `${where}: every user had lists of several variants`, {
      remedy: 'Take the lists since shares, or the keys of pseudonyms, changed alone.',
    });
  const experiment = wanted ?? [...names][0];
  if (experiment === undefined || variants.size === 0) throw none(where, wanted, names);
  return { experiment, variants, switched: switched.size, outside };
}

function several(at: string, names: ReadonlySet<string>): RecsysError {
  return new RecsysError('CONFIG_INVALID', `${at}: there are several experiments: ${[...names].join(', ')}`, {
    remedy: 'Say which with --experiment.',
  });
}

function changed(at: string, { name, share }: { name: string; share: number }, before: number): RecsysError {
  return new RecsysError(
    'CONFIG_INVALID',
    `${at}: the share of ${name} is ${share}, and was ${before}: users were dealt anew in between`,
    {
      remedy:
        'Take the lists since the change alone, and give an experiment another name where shares change.',
    },
  );
}

function none(where: string, wanted: string | undefined, names: ReadonlySet<string>): RecsysError {
  const which = wanted === undefined ? 'an experiment' : `“${wanted}”${hint(wanted, [...names])}`;
  return new RecsysError('DATA_EMPTY', `${where} has no list of ${which}`, {
    remedy:
      'Serve with `experiment` and `exploration.log: true`, and export the lists with `recsys impressions`.',
  });
}
