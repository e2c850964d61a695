import type { Dataset } from '../data/dataset.js';
import { formatOf, readers } from '../data/readers/index.js';
import { resolveSources } from '../data/readers/source.js';
import { RecsysError } from '../errors.js';
import type { Contender } from '../evaluation/contender.js';
import { externalRankings, type RankedItem } from '../evaluation/external.js';
import type { StageContext } from '../types.js';

const COLUMNS = ['user', 'item', 'score'] as const;

/**
 * Reads lists made elsewhere (CSV, TSV, JSONL or Parquet with columns user, item, score) as a row of a comparison.
 *
 * @throws FILE_MISSING, COLUMN_MISSING; DATA_UNREADABLE where a score is no number; DATA_EMPTY where no line fits the dataset
 */
export async function readRankings(
  name: string,
  file: string,
  dataset: Dataset,
  context: StageContext,
): Promise<Contender> {
  const [source] = await resolveSources(file, '.');
  const lines: RankedItem[] = [];
  await readers[formatOf(file)].read(
    {
      ...source!,
      delimiter: undefined,
      header: true,
      quote: true,
      encoding: 'utf-8',
      columns: COLUMNS,
      signal: context.signal,
      onBytes: () => undefined,
    },
    {
      record: ([user, item, score], line) => {
        const value = score === '' || score === null || score === undefined ? Number.NaN : Number(score);
        if (!Number.isFinite(value)) throw notALine(file, line, `the score ${String(score)} is no number`);
        lines.push({ user: String(user), item: String(item), score: value });
      },
      reject: (line, reason) => {
        throw notALine(file, line, reason);
      },
    },
  );
  const { scorer, users, unknown } = externalRankings(name, lines, dataset.catalogue);
  if (users === 0) {
    throw new RecsysError(
      'DATA_EMPTY',
      `${file}: none of its ${lines.length} lines is of a user and an item of ${dataset.path}`,
    );
  }
  if (unknown > 0)
    context.log('warn', `${name}: ${unknown} lines are of users or items the dataset does not have`);
  return {
    name,
    kind: 'external',
    path: file,
    scorer,
    parameters: 0,
    bytes: 0,
    note: `lists read from a file, ${users.toLocaleString('en-US')} users`,
  };
}

function notALine(file: string, line: number, reason: string): RecsysError {
  return new RecsysError('DATA_UNREADABLE', `${file}:${line}: ${reason}`, {
    remedy: 'Give one line an item with the columns user, item, score (higher is better).',
  });
}
