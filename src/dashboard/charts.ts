import { escapeHtml, formatMetric } from '../report/format.js';
import { apart, linePath, type Scale, scaleOf } from './scale.js';

/** A value with the ends of its interval; null and NaN where it is not known. */
export interface Bounds {
  readonly mean: number | null;
  readonly low: number | null;
  readonly high: number | null;
}

export interface DotPlot {
  readonly title: string;
  readonly rows: readonly { readonly name: string; readonly bounds: Bounds; readonly series: number }[];
  /** A value that is marked by a line and always in the picture. */
  readonly reference?: number;
}

export interface LinePlot {
  readonly title: string;
  readonly lines: readonly {
    readonly name: string;
    readonly series: number;
    /** Seconds before now (0 or less), and the value then. */
    readonly points: readonly (readonly [seconds: number, value: number])[];
  }[];
}

const WIDTH = 360;
const ROW = 30;
/** Series differ in the shape of their marks, and lines in their dashes (style.ts), not in colour alone. */
const MARKS = [
  'M-4.5-4.5h9v9h-9z',
  'M0-6L6 0 0 6-6 0z',
  'M0-6L5.5 4h-11z',
  'M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z',
];

const round = (value: number): number => Math.round(value * 10) / 10;
const number = (value: number | null): number => value ?? Number.NaN;

/** `0.0512 (0.0483 to 0.0541)`; a dash where nothing is known. */
export function boundsText({ mean, low, high }: Bounds): string {
  const interval = Number.isFinite(number(low)) && Number.isFinite(number(high));
  const ends = interval ? ` (${formatMetric(number(low))} to ${formatMetric(number(high))})` : '';
  return `${formatMetric(number(mean))}${ends}`;
}

function mark(series: number, x: number, y: number): string {
  return `<path class="mark s${series}" transform="translate(${round(x)} ${round(y)})" d="${MARKS[series % MARKS.length]}"/>`;
}

function svg(height: number, label: string, body: string): string {
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(label)}">${body}</svg>`;
}

const tickText = ({ ticks }: Scale, value: number): string => {
  const digits = Math.max(...ticks.map((tick) => (String(tick).split('.')[1] ?? '').length));
  return value.toFixed(digits).replace('-', '−');
};

/** One row a name: a mark at the mean, a line over its interval. */
export function dotPlot({ title, rows, reference }: DotPlot): string {
  const [left, right, bottom] = [84, WIDTH - 14, rows.length * ROW + 8];
  const values = rows.flatMap(({ bounds }) => [bounds.mean, bounds.low, bounds.high].map(number));
  const scale = scaleOf(reference === undefined ? values : [reference, ...values], left, right, 3);
  const grid = scale.ticks.map((tick) => {
    const x = round(scale.at(tick));
    return `<path class="${tick === reference ? 'zero' : 'grid'}" d="M${x} 4V${bottom}"/><text class="tick" x="${x}" y="${bottom + 16}" text-anchor="middle">${tickText(scale, tick)}</text>`;
  });
  const drawn = rows.map(({ name, bounds, series }, i) => {
    const y = 4 + (i + 0.5) * ROW;
    const label = `<text x="${left - 14}" y="${y + 4}" text-anchor="end">${escapeHtml(name)}</text>`;
    const [mean, low, high] = [bounds.mean, bounds.low, bounds.high].map((value) => scale.at(number(value)));
    const span = linePath([
      [low!, y],
      [high!, y],
    ]);
    const whisker = span.includes('L') ? `<path class="span s${series}" d="${span}"/>` : '';
    return `${label}${whisker}${Number.isFinite(mean) ? mark(series, mean!, y) : ''}`;
  });
  const said = rows.map(({ name, bounds }) => `${name} ${boundsText(bounds)}`).join('; ');
  return svg(bottom + 24, `${title}: ${said}`, grid.join('') + drawn.join(''));
}

/** `now`, `−40 s`, `−5 min`, `−2 h`. */
export function ago(seconds: number): string {
  const size = Math.abs(seconds);
  if (size < 0.5) return 'now';
  if (size < 120) return `−${Math.round(size)} s`;
  return size < 7200 ? `−${Math.round(size / 60)} min` : `−${Math.round(size / 3600)} h`;
}

/** Values over time up to now, each line named at its end. */
export function linePlot({ title, lines }: LinePlot): string {
  const [left, right, top, bottom] = [44, WIDTH - 92, 8, 150];
  const points = lines.flatMap((line) => line.points);
  const y = scaleOf(
    points.map(([, value]) => value),
    bottom,
    top,
  );
  const first = Math.min(-1, ...points.map(([seconds]) => seconds));
  const x = (seconds: number): number => left + (1 - seconds / first) * (right - left);
  const grid = y.ticks.map((tick) => {
    const at = round(y.at(tick));
    return `<path class="grid" d="M${left} ${at}H${right}"/><text class="tick" x="${left - 8}" y="${at + 4}" text-anchor="end">${tickText(y, tick)}</text>`;
  });
  const times = [first, 0].map(
    (seconds, i) =>
      `<text class="tick" x="${i === 0 ? left : right}" y="${bottom + 18}" text-anchor="${i === 0 ? 'start' : 'end'}">${ago(seconds)}</text>`,
  );
  const known = lines.filter((line) => Number.isFinite(line.points.at(-1)?.[1]));
  const ends = known.map((line) => y.at(line.points.at(-1)![1]));
  const labels = apart(ends, 14, top, bottom);
  const drawn = known.map(({ name, series, points: own }, i) => {
    const path = linePath(own.map(([seconds, value]) => [x(seconds), y.at(value)]));
    const text = `<text x="${right + 22}" y="${round(labels[i]! + 4)}">${escapeHtml(name)}</text>`;
    return `<path class="line s${series}" d="${path}"/>${mark(series, right + 11, labels[i]!)}${text}`;
  });
  const said = known.map(({ name, points: own }) => `${name} now ${formatMetric(own.at(-1)![1])}`).join('; ');
  const label = `${title}, from ${ago(first)} to now: ${said || 'nothing yet'}`;
  return svg(bottom + 26, label, grid.join('') + times.join('') + drawn.join(''));
}
