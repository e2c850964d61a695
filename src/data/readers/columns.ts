import { RecsysError } from '../../errors.js';
import type { ColumnRef } from '../source-schema.js';

/** Levenshtein distance, for "did you mean". */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(change, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}

/** The name most like `wanted`, letter case aside; undefined where nothing is close. */
export function nearest(wanted: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, wanted.length / 2);
  for (const name of names) {
    const d = distance(wanted.toLowerCase(), name.toLowerCase());
    if (d < least || (best === undefined && d === least)) {
      least = d;
      best = name;
    }
  }
  return best;
}

/** The error for a column that the file does not have. */
export function missingColumn(file: string, wanted: ColumnRef, names: readonly string[]): RecsysError {
  const close = typeof wanted === 'string' ? nearest(wanted, names) : undefined;
  const have = names.length > 12 ? `${names.slice(0, 12).join(', ')} …` : names.join(', ');
  return new RecsysError(
    'COLUMN_MISSING',
    `${file}: there is no column ${JSON.stringify(wanted)}${close ? `; did you mean ${JSON.stringify(close)}?` : ''} The file has ${names.length}: ${have}`,
  );
}

/** Positions (from 0) of the wanted columns. Errors: COLUMN_MISSING naming the nearest. */
export function positionsOf(wanted: readonly ColumnRef[], names: readonly string[], file: string): number[] {
  return wanted.map((ref) => {
    const position = typeof ref === 'number' ? ref - 1 : names.indexOf(ref);
    if (position < 0 || position >= names.length) throw missingColumn(file, ref, names);
    return position;
  });
}

/** The delimiter that splits `line` into most columns, of the usual ones; undefined where none does. */
export function guessDelimiter(line: string): string | undefined {
  let best: string | undefined;
  let most = 1;
  for (const candidate of ['::', '\t', ',', ';', '|', ' ']) {
    const columns = line.split(candidate).length;
    if (columns > most) {
      most = columns;
      best = candidate;
    }
  }
  return best;
}
