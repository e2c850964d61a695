import { RecsysError } from '../../errors.js';
import { didYouMean } from '../../nearest.js';
import type { ColumnRef } from '../source-schema.js';

/** The error for a column that the file does not have. */
export function missingColumn(file: string, wanted: ColumnRef, names: readonly string[]): RecsysError {
  const close = (typeof wanted === 'string' && didYouMean(wanted, names)) || '.';
  const count = names.length === 1 ? '1 column' : `${names.length} columns`;
  const have = `${names.slice(0, 12).join(', ')}${names.length > 12 ? ' …' : ''}`;
  return new RecsysError(
    'COLUMN_MISSING',
    `${file}: there is no column ${JSON.stringify(wanted)}${close} The file has ${count}: ${have}`,
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
