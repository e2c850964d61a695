/** Reads a time as milliseconds since the epoch; NaN where the text is no such time. Texts without a zone are UTC. */
export type TimeParser = (value: string | number | Date) => number;

/** The parser for `epoch-s`, `epoch-ms`, `iso`, or a strptime pattern. A Date is taken as it is. */
export function timeParser(format: string): TimeParser {
  const text = textParser(format);
  return (value) => {
    if (value instanceof Date) return value.getTime();
    return text(typeof value === 'number' ? String(value) : value.trim());
  };
}

function textParser(format: string): (text: string) => number {
  if (format === 'epoch-s') return (text) => Math.round(number(text) * 1000);
  if (format === 'epoch-ms') return (text) => Math.round(number(text));
  if (format === 'iso') return iso;
  return strptime(format);
}

function number(text: string): number {
  return text === '' ? Number.NaN : Number(text);
}

const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(\.\d+)?)?)?\s*(Z|[+-]\d{2}:?\d{2})?$/;

/** ISO 8601 date or date-time, `T` or a space between. */
export function iso(text: string): number {
  const m = ISO.exec(text);
  if (!m) return Number.NaN;
  const ms = utc(m[1], m[2], m[3], m[4], m[5], m[6]) + Math.round(Number(m[7] ?? 0) * 1000);
  const zone = m[8];
  if (zone === undefined || zone === 'Z') return ms;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2));
  return ms - (zone.startsWith('-') ? -1 : 1) * minutes * 60_000;
}

type Part = string | number | undefined;

/** NaN where a part is out of range: 31 February does not become 3 March. */
function utc(year: Part, month: Part, day: Part, hour: Part, minute: Part, second: Part): number {
  const [y, mo, d, h, mi, s] = [year, month, day, hour ?? 0, minute ?? 0, second ?? 0].map(Number);
  const ms = Date.UTC(y!, mo! - 1, d, h, mi, s);
  const back = new Date(ms);
  const same = back.getUTCMonth() === mo! - 1 && back.getUTCDate() === d && h! < 24 && mi! < 60 && s! < 61;
  return same ? ms : Number.NaN;
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

const DIRECTIVES: Readonly<Record<string, string>> = {
  Y: '(?<Y>\\d{4})',
  y: '(?<y>\\d{2})',
  m: '(?<m>\\d{1,2})',
  b: '(?<b>[A-Za-z]{3})',
  d: '(?<d>\\d{1,2})',
  H: '(?<H>\\d{1,2})',
  I: '(?<I>\\d{1,2})',
  M: '(?<M>\\d{1,2})',
  S: '(?<S>\\d{1,2})',
  p: '(?<p>[AaPp][Mm])',
  '%': '%',
};

/** Directives of strptime that are understood: Y y m b d H I M S p. */
function strptime(pattern: string): (text: string) => number {
  const source = pattern
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replace(/%(.)/g, (whole, letter: string) => DIRECTIVES[letter] ?? whole);
  const expression = new RegExp(`^${source}$`);
  return (text) => {
    const g = expression.exec(text)?.groups;
    if (!g) return Number.NaN;
    const year = g.Y ?? (g.y === undefined ? 1970 : Number(g.y) + (Number(g.y) < 69 ? 2000 : 1900));
    const month = g.m ?? (g.b === undefined ? 1 : MONTHS.indexOf(g.b.toLowerCase()) + 1);
    let hour = Number(g.H ?? 0);
    if (g.I !== undefined) hour = (Number(g.I) % 12) + (g.p?.toLowerCase() === 'pm' ? 12 : 0);
    return utc(year, month, g.d ?? 1, hour, g.M, g.S);
  };
}
