import type { QualityReply } from '../protocol/quality.js';
import { escapeHtml, formatCount, formatMetric } from '../report/format.js';
import { type Cell, tableToHtml } from '../report/table.js';
import { type Bounds, dotPlot, linePlot } from './charts.js';
import { figure, note } from './parts.js';

/** NDCG of each arm at a moment, in seconds. */
export interface Moment {
  readonly at: number;
  readonly ndcg: Readonly<Record<string, number>>;
}

interface Arm {
  /** Colour, mark and dash in pictures. */
  readonly series: number;
  readonly meaning: string;
}

const ARMS: Readonly<Record<string, Arm>> = {
  popularity: { series: 7, meaning: 'the same popular items for everyone, counted live' },
  frozen: { series: 1, meaning: 'the model as it was first served, reading live histories' },
  adapted: { series: 2, meaning: 'frozen, with what was learned of each user' },
  learned: { series: 0, meaning: 'what is served: the shared weights have learned, too' },
};

const armOf = (name: string): Arm => ARMS[name] ?? { series: 3, meaning: '' };

export function momentOf(at: number, { arms }: QualityReply): Moment {
  return { at, ndcg: Object.fromEntries(arms.map(({ arm, ndcg }) => [arm, ndcg.mean ?? Number.NaN])) };
}

/** Adds a moment; when there are more than `most`, every second one goes, and the last stays. */
export function addMoment(moments: readonly Moment[], next: Moment, most: number): Moment[] {
  const all = [...moments, next];
  return all.length <= most ? all : all.filter((_, i) => (all.length - 1 - i) % 2 === 0);
}

export type Verdict = 'better' | 'worse' | 'same' | 'unknown';
const SIGNS: Readonly<Record<Verdict, string>> = { better: '▲', worse: '▼', same: '≈', unknown: '…' };

/** What a difference with its 95 % interval says; `sign` is −1 where less is better. */
export function verdictOf({ mean, low, high }: Bounds, sign: 1 | -1 = 1): Verdict {
  if (mean === null || low === null || high === null) return 'unknown';
  if (low <= 0 && high >= 0) return 'same';
  return sign * mean > 0 ? 'better' : 'worse';
}

/** Differences of the arms that learn. That of popularity is so much larger that no other could be seen beside it. */
const learning = (differences: QualityReply['differences']) =>
  differences.filter(({ arm }) => arm !== 'popularity');

const signed = (value: number | null): string => formatMetric(value ?? Number.NaN).replace('-', '−');

/** A difference in words. */
function words(measure: string, bounds: Bounds): string {
  const { mean, low, high } = bounds;
  const verdict = verdictOf(bounds);
  if (verdict === 'unknown') return `of ${measure} nothing can be said yet`;
  const interval = `(95 % interval ${signed(low)} to ${signed(high)})`;
  if (verdict === 'same') return `no difference in ${measure} can be told ${interval}`;
  return `${measure} is ${verdict === 'better' ? 'higher' : 'lower'} by ${signed(Math.abs(mean!))} ${interval}`;
}

/** By the ranking, and where that does not tell, by the log-loss. */
export function verdictOn({
  ndcg,
  logLoss,
}: Pick<QualityReply['differences'][number], 'ndcg' | 'logLoss'>): Verdict {
  const ranking = verdictOf(ndcg);
  return ranking === 'same' ? verdictOf(logLoss, -1) : ranking;
}

/** What learning earned, in words: for each arm that learns, against the one that does not. */
function earned({ k, differences }: QualityReply): string {
  const items = learning(differences).map(({ arm, against, ...difference }) => {
    const verdict = verdictOn(difference);
    const said = {
      better: `does better than ${against}`,
      worse: `does worse than ${against}`,
      same: `does about as ${against} does`,
      unknown: `and ${against}: too few events of too few users`,
    }[verdict];
    const details = `${words(`NDCG@${k}`, difference.ndcg)}; ${words('log-loss', difference.logLoss)}.`;
    return `<li class="${verdict}"><span aria-hidden="true">${SIGNS[verdict]}</span> <b>${escapeHtml(arm)}</b> ${escapeHtml(`${said}: ${details}`)}</li>`;
  });
  return items.length === 0 ? '' : `<h3>What learning earned</h3><ul class="verdicts">${items.join('')}</ul>`;
}

function plots(reply: QualityReply, moments: readonly Moment[]): string {
  const { k, arms, differences } = reply;
  const rows = (of: (one: QualityReply['arms'][number]) => Bounds) =>
    arms.map((one) => ({ name: one.arm, bounds: of(one), series: armOf(one.arm).series }));
  const apart = (of: (one: QualityReply['differences'][number]) => Bounds) =>
    learning(differences).map((one) => ({
      name: one.arm,
      bounds: of(one),
      series: armOf(one.arm).series,
    }));
  const against = learning(differences)[0]?.against;
  const end = moments.at(-1)?.at ?? 0;
  const lines = arms.map(({ arm }) => ({
    name: arm,
    series: armOf(arm).series,
    points: moments.map(({ at, ndcg }) => [at - end, ndcg[arm] ?? Number.NaN] as const),
  }));
  const dots: [string, Parameters<typeof dotPlot>[0]['rows'], number?][] = [
    [`NDCG@${k}, more is better`, rows(({ ndcg }) => ndcg)],
    [`HR@${k}, more is better`, rows(({ hr }) => hr)],
    ['Log-loss, less is better', rows(({ logLoss }) => logLoss)],
  ];
  if (against !== undefined)
    dots.push(
      [`NDCG@${k} minus that of ${against}`, apart(({ ndcg }) => ndcg), 0],
      [`Log-loss minus that of ${against}`, apart(({ logLoss }) => logLoss), 0],
    );
  const overTime = `NDCG@${k} since this page was opened`;
  const figures = dots.map(([title, all, reference]) =>
    figure(title, dotPlot({ title, rows: all, ...(reference === undefined ? {} : { reference }) })),
  );
  figures.push(figure(overTime, linePlot({ title: overTime, lines })));
  return `<div class="plots">${figures.join('')}</div>`;
}

/** The numbers of the pictures, as tables. */
export function qualityTable({ k, arms, differences }: QualityReply): string {
  const cell = ({ mean, low, high }: Bounds): Cell =>
    mean === null || low === null || high === null ? mean : { value: mean, low, high };
  const [ndcg, hr, logLoss] = [`NDCG@${k}`, `HR@${k}`, 'log-loss'] as const;
  const first = tableToHtml({
    columns: ['arm', 'what it is', ndcg, hr, logLoss],
    rows: arms.map((one) => [one.arm, armOf(one.arm).meaning, ...[one.ndcg, one.hr, one.logLoss].map(cell)]),
  });
  if (differences.length === 0) return first;
  const second = tableToHtml({
    columns: ['difference', ndcg, logLoss],
    rows: differences.map((one) => [`${one.arm} − ${one.against}`, ...[one.ndcg, one.logLoss].map(cell)]),
  });
  return `${first}${second}`;
}

/** What each kind of learning earns, as HTML. */
export function qualityHtml(reply: QualityReply, moments: readonly Moment[]): string {
  const { events, window, unknown, arms } = reply;
  if (events === 0)
    return note(
      'No event was ranked yet. Each event is ranked before it is learned; figures come with the first ones.',
    );
  const counted = `The newest ${formatCount(Math.min(events, window))} of ${formatCount(events)} events, each ranked before it was learned; bars are 95 % intervals over users.`;
  const missed = unknown === 0 ? '' : ` ${formatCount(unknown)} were of items that no model knows.`;
  const legend = arms
    .map(({ arm }) => `<dt>${escapeHtml(arm)}</dt><dd>${escapeHtml(armOf(arm).meaning)}</dd>`)
    .join('');
  return `${note(counted + missed)}${earned(reply)}${plots(reply, moments)}<dl>${legend}</dl>`;
}
