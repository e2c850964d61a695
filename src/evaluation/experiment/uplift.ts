import { RecsysError } from '../../errors.js';
import { hint } from '../../nearest.js';
import { Random } from '../../random.js';
import { type Interval, intervalOf } from '../significance.js';
import { goodnessOfFit } from './chi-square.js';
import type { ExperimentLog, UserTotals, VariantLog } from './log.js';

/** Successes of a user, and of a list. */
export const MEASURES = ['perUser', 'perList'] as const;
export type Measure = (typeof MEASURES)[number];

/** What the lists of a variant earned. */
export interface VariantFigures extends Readonly<Record<Measure, Interval>> {
  readonly name: string;
  readonly share: number;
  readonly users: number;
  readonly lists: number;
  /** By how much it earned more than the control, a share of what that earned: .1 is a tenth more. Absent of the control itself, and where that earned nothing. */
  readonly uplift?: Readonly<Record<Measure, Interval>>;
  /** Variant − control. Absent of the control itself. */
  readonly difference?: Readonly<Record<Measure, Interval>>;
}

export interface UpliftEstimate {
  readonly experiment: string;
  readonly control: string;
  /** The control first. */
  readonly variants: readonly VariantFigures[];
  /** Whether users came to variants as they were dealt: Pearson's chi-square, and how likely so much is by chance. */
  readonly sampleRatio: { readonly chiSquare: number; readonly p: number };
  readonly switched: number;
  readonly outside: number;
}

/**
 * What each variant earned beside the control, by whom users were dealt to, whatever made the list in the end (intention to treat).
 * Percentile intervals of 95 % from resamples of each variant's users, with replacement (Efron & Tibshirani 1993).
 * @throws RecsysError CONFIG_INVALID where the control is no variant of the log · DATA_EMPTY where that is the only one
 */
export function estimateUplift(
  { experiment, variants, switched, outside }: ExperimentLog,
  {
    control,
    resamples,
    seed,
  }: { readonly control: string; readonly resamples: number; readonly seed: number },
): UpliftEstimate {
  const names = [...variants.keys()].toSorted();
  if (!variants.has(control))
    throw new RecsysError(
      'CONFIG_INVALID',
      `control: “${control}” has no list in the log${hint(control, names)}`,
      {
        remedy: `Name one of ${names.join(', ')} with --control.`,
      },
    );
  if (names.length === 1)
    throw new RecsysError('DATA_EMPTY', `all lists of the experiment are of ${control}`, {
      remedy: 'Wait for lists of the other variants.',
    });
  const ordered = [control, ...names.filter((name) => name !== control)];
  const drawn = new Map(
    ordered.map((name) => [name, resampled(variants.get(name)!, resamples, Random.of(seed, 'uplift', name))]),
  );
  const base = drawn.get(control)!;
  const figures = ordered.map((name): VariantFigures => {
    const { share, users } = variants.get(name)!;
    const own = drawn.get(name)!;
    const compared = (of: (a: number, b: number) => number): Record<Measure, Interval> =>
      each((measure) => {
        const [a, b] = [own[measure], base[measure]];
        return intervalOf(
          of(a.found, b.found),
          a.resampled.map((one, r) => of(one, b.resampled[r]!)),
          {},
        );
      });
    const earned = each((measure) => intervalOf(own[measure].found, own[measure].resampled.slice(), {}));
    const lists = totalOf(users.values()).lists;
    const plain = { name, share, users: users.size, lists, ...earned };
    if (name === control) return plain;
    const difference = compared((a, b) => a - b);
    // A resample without a success of the control says nothing of a ratio.
    const never = base.perUser.resampled.some((one) => one === 0);
    return never ? { ...plain, difference } : { ...plain, difference, uplift: compared((a, b) => a / b - 1) };
  });
  const missing = 1 - figures.reduce((sum, { share }) => sum + share, 0);
  // A variant that no list came of: its users are as missing as some of another's would be.
  const groups = missing > 1e-9 ? [...figures, { users: 0, share: missing }] : figures;
  const sampleRatio = goodnessOfFit(
    groups.map(({ users }) => users),
    groups.map(({ share }) => share),
  );
  return { experiment, control, variants: figures, sampleRatio, switched, outside };
}

type Drawn = Readonly<Record<Measure, { readonly found: number; readonly resampled: Float64Array }>>;

function resampled({ users }: VariantLog, resamples: number, random: Random): Drawn {
  const all = [...users.values()];
  const means = each(() => new Float64Array(resamples));
  for (let r = 0; r < resamples; r++) {
    const total: UserTotals = { lists: 0, successes: 0 };
    for (let i = 0; i < all.length; i++) add(total, all[random.int(all.length)]!);
    for (const measure of MEASURES) means[measure][r] = meanOf(total, all.length, measure);
  }
  const found = totalOf(all);
  return each((measure) => ({
    found: meanOf(found, all.length, measure),
    resampled: means[measure],
  }));
}

function totalOf(users: Iterable<UserTotals>): UserTotals {
  const total: UserTotals = { lists: 0, successes: 0 };
  for (const user of users) add(total, user);
  return total;
}

function add(total: UserTotals, { lists, successes }: UserTotals): void {
  total.lists += lists;
  total.successes += successes;
}

const meanOf = ({ lists, successes }: UserTotals, users: number, measure: Measure): number =>
  successes / Math.max(1, measure === 'perUser' ? users : lists);

const each = <T>(of: (measure: Measure) => T): Record<Measure, T> => ({
  perUser: of('perUser'),
  perList: of('perList'),
});
