import { escapeHtml, formatBytes, formatCount, formatMetric, formatMilliseconds } from './format.js';

/** A value with its 95 % interval. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}
/** null and NaN are shown as a dash. */
export type Cell = string | number | Interval | null;

export interface Column {
  readonly name: string;
  /** How numbers are shown; 'metric' unless told. */
  readonly format?: 'metric' | 'count' | 'bytes' | 'milliseconds';
  /** Which value is the best, so that it is marked. Without it none is. */
  readonly better?: 'higher' | 'lower';
}

/** A comparison: one row a model. A plain string names a column without a best value. */
export interface Table {
  readonly columns: readonly (Column | string)[];
  readonly rows: readonly (readonly Cell[])[];
  /** Rows (by position) that take no part in the contest for the best value, such as an oracle. */
  readonly aside?: readonly number[];
}

const FORMATS = {
  metric: formatMetric,
  count: formatCount,
  bytes: formatBytes,
  milliseconds: formatMilliseconds,
} as const;

function columnsOf(table: Table): Column[] {
  return table.columns.map((column) => (typeof column === 'string' ? { name: column } : column));
}

function numberOf(cell: Cell | undefined): number | undefined {
  const value = typeof cell === 'object' ? cell?.value : cell;
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** The value and, apart, its interval, as text. */
function show(cell: Cell | undefined, column: Column): { text: string; interval: string } {
  if (typeof cell === 'string') return { text: cell, interval: '' };
  const value = numberOf(cell);
  if (value === undefined) return { text: '–', interval: '' };
  const format = FORMATS[column.format ?? 'metric'];
  const interval =
    typeof cell === 'object' && cell !== null ? `[${format(cell.low)}, ${format(cell.high)}]` : '';
  return { text: format(value), interval };
}

/** Rows that hold the best value of a column; several where they tie, none where there is nothing to compare. */
function bestRows(table: Table, index: number, column: Column): Set<number> {
  if (column.better === undefined) return new Set();
  const sign = column.better === 'higher' ? 1 : -1;
  const values = table.rows.map((row, at) => (table.aside?.includes(at) ? undefined : numberOf(row[index])));
  const known = values.filter((value) => value !== undefined);
  if (known.length < 2) return new Set();
  const best = Math.max(...known.map((value) => sign * value));
  return new Set(values.flatMap((value, at) => (value !== undefined && sign * value === best ? [at] : [])));
}

function isNumeric(table: Table, index: number): boolean {
  return (
    table.rows.every((row) => typeof row[index] !== 'string') &&
    table.rows.some((row) => numberOf(row[index]) !== undefined)
  );
}

/** Columns a terminal needs for a text: East Asian wide characters and emoji take two, combining marks none. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{Mark}|\u200d/u.test(character)) continue;
    const wide =
      /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|[\u3000-\u303f\uff01-\uff60]|\p{Emoji_Presentation}/u;
    width += wide.test(character) ? 2 : 1;
  }
  return width;
}

/**
 * The table as aligned text: names to the left, numbers to the right, `*` after the best value of a column, which a line
 * below explains. Lines have no trailing spaces, and the text no final line break.
 */
export function renderTable(table: Table): string {
  const columns = columnsOf(table);
  const parts = columns.map((column, index) => {
    const best = bestRows(table, index, column);
    const marks = best.size > 0;
    const numeric = isNumeric(table, index);
    const cells = table.rows.map((row, at) => {
      const { text, interval } = show(row[index], column);
      const mark = best.has(at) ? '*' : marks ? ' ' : '';
      return `${text}${mark}${interval === '' ? '' : ` ${interval}`}`;
    });
    const header =
      numeric && marks && !cells.some((cell) => cell.includes('[')) ? `${column.name} ` : column.name;
    const width = Math.max(...[header, ...cells].map(displayWidth));
    const pad = (cell: string) => {
      const space = ' '.repeat(width - displayWidth(cell));
      return numeric ? space + cell : cell + space;
    };
    return [pad(header), '─'.repeat(width), ...cells.map(pad)];
  });
  const lines = Array.from({ length: table.rows.length + 2 }, (_, at) =>
    parts
      .map((part) => part[at]!)
      .join('  ')
      .trimEnd(),
  );
  return [...lines, ...legend(table, columns)].join('\n');
}

/** What `*` means, where it is used. */
function legend(table: Table, columns: readonly Column[]): string[] {
  if (columns.every((column, index) => bestRows(table, index, column).size === 0)) return [];
  const apart = (table.aside ?? [])
    .map((at) => table.rows[at]?.[0])
    .filter((name) => typeof name === 'string');
  return [`* best of its column${apart.length === 0 ? '' : `; ${apart.join(', ')} not counted`}`];
}

/** The table as HTML: intervals small below their values, the best value of a column in bold. */
export function tableToHtml(table: Table): string {
  const columns = columnsOf(table);
  const numeric = columns.map((_, index) => isNumeric(table, index));
  const best = columns.map((column, index) => bestRows(table, index, column));
  const head = columns.map(
    (column, index) => `<th${numeric[index] ? ' class="n"' : ''} scope="col">${escapeHtml(column.name)}</th>`,
  );
  const body = table.rows.map((row, at) => {
    const cells = columns.map((column, index) => {
      const { text, interval } = show(row[index], column);
      const classes = [numeric[index] ? 'n' : '', best[index]!.has(at) ? 'best' : '']
        .filter(Boolean)
        .join(' ');
      const small = interval === '' ? '' : `<small>${escapeHtml(interval)}</small>`;
      return `<td${classes === '' ? '' : ` class="${classes}"`}>${escapeHtml(text)}${small}</td>`;
    });
    return `<tr${table.aside?.includes(at) ? ' class="aside"' : ''}>${cells.join('')}</tr>`;
  });
  return `<div class="scroll"><table><thead><tr>${head.join('')}</tr></thead><tbody>${body.join('\n')}</tbody></table></div>`;
}
