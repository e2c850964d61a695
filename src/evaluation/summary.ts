import { RecsysError } from '../errors.js';
import { hint } from '../nearest.js';
import type { Measured } from './contender.js';
import { metricName } from './evaluate.js';
import type { Protocol } from './protocol.js';
import type { Difference } from './results.js';
import { pairedDifference } from './significance.js';

/** The k whose metrics lead the table: 10 where it was asked for, else the longest list. */
export function leadingK(ks: readonly number[]): number {
  return ks.includes(10) ? 10 : ks.at(-1)!;
}

/** A metric's name at the leading k, marked where ranking was among sampled negatives. */
export function leadingMetric(metric: string, protocol: Protocol): string {
  return metricName(`${metric}@${leadingK(protocol.ks)}`, protocol.sampledNegatives);
}

/** The protocol in a sentence, as it stands under every table. */
export function describeProtocol(protocol: Protocol): string {
  const { part, split, order, users, catalogue, candidates, filterSeen, sampledNegatives } = protocol;
  const behaviours = protocol.targetBehaviours ? `, targets ${protocol.targetBehaviours.join(' + ')}` : '';
  const rows = `${part} rows of a ${split} split (${order} order)${behaviours}`;
  const brackets = (over: string) => `ties count half; brackets: 95 % bootstrap interval over ${over}`;
  if (protocol.impressions !== undefined)
    return (
      `${protocol.impressions.toLocaleString('en-US')} impressions of ${users.toLocaleString('en-US')} users, ${rows}; ` +
      `ranked is what each showed; ${brackets('impressions')}`
    );
  const ranking =
    sampledNegatives === undefined
      ? `every one of ${catalogue.toLocaleString('en-US')} items ranked${candidates === 'train' ? ' (those with train rows)' : ''}`
      : `SAMPLED: each target ranked among ${sampledNegatives} random items only, which overstates and may reorder models`;
  const unseen = protocol.unseenTargets ? ', those new to the user alone' : '';
  return (
    `${rows}${unseen}, ${users.toLocaleString('en-US')} users; ${ranking}; ` +
    `seen items ${filterSeen ? 'removed' : 'kept'}; ${brackets('users')}`
  );
}

export interface BootstrapSettings {
  readonly resamples: number;
  readonly seed: number;
}

/** Each model against the baseline that leads by `metric`, user by user. */
export function againstBestBaseline(
  measured: readonly Measured[],
  metric: string,
  options: BootstrapSettings,
): Difference[] {
  const value = (one: Measured): number => one.row.metrics[metric] ?? Number.NEGATIVE_INFINITY;
  const baselines = measured.filter((one) => one.row.kind === 'baseline').sort((a, b) => value(b) - value(a));
  const best = baselines[0];
  if (best === undefined) return [];
  return measured
    .filter((one) => one.row.kind === 'model')
    .map((one) => difference(one.row.name, one.perUser, best.row.name, best.perUser, options));
}

/** Rows against their controls, user by user; a baseline that was left out is compared with nothing. */
export function againstControls(
  measured: readonly Measured[],
  controls: Readonly<Record<string, string>>,
  options: BootstrapSettings,
): Difference[] {
  return Object.entries(controls).flatMap(([name, control]) => {
    const one = measured.find(({ row }) => row.name === name);
    const other = measured.find(({ row }) => row.name === control);
    return one && other ? [difference(name, one.perUser, control, other.perUser, options)] : [];
  });
}

/** Refuses controls that name no row of the comparison: before anything is computed. */
export function checkControls(controls: Readonly<Record<string, string>>, rows: readonly string[]): void {
  for (const name of Object.entries(controls).flat()) {
    if (!rows.includes(name))
      throw new RecsysError('CONFIG_INVALID', `controls: there is no row "${name}"${hint(name, rows)}`);
  }
}

/** Per-user values of another evaluation's row, in this task's order of users. */
export interface EarlierRow {
  readonly name: string;
  readonly kind: Measured['row']['kind'];
  readonly perUser: ReadonlyMap<string, Float32Array>;
}

/** Rows of the same name against each other; a model without a namesake against every model of the other evaluation. */
export function againstEarlier(
  measured: readonly Measured[],
  earlier: readonly EarlierRow[],
  options: BootstrapSettings,
): Difference[] {
  return measured.flatMap(({ row, perUser }) => {
    const same = earlier.filter((other) => other.name === row.name);
    const others =
      same.length > 0 || row.kind === 'baseline' ? same : earlier.filter((other) => other.kind === 'model');
    return others.map((other) =>
      difference(row.name, perUser, `${other.name} (against)`, other.perUser, options),
    );
  });
}

function difference(
  row: string,
  a: ReadonlyMap<string, Float32Array>,
  against: string,
  b: ReadonlyMap<string, Float32Array>,
  options: BootstrapSettings,
): Difference {
  return { row, against, metrics: Object.fromEntries(pairedDifference(a, b, options)) };
}
