/** Files of rows, a user each or some: written row by row, so that memory does not grow with the users. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, extname } from 'node:path';
import { finished } from 'node:stream/promises';
import { RecsysError } from '../errors.js';
import { diskError, kindOf, sync } from '../storage/disk.js';
import { jsonlToParquet } from './parquet.js';

export const LIST_FORMATS = ['csv', 'jsonl', 'parquet'] as const;
export type ListFormat = (typeof LIST_FORMATS)[number];

/** One recommended item of one user. */
export interface ListRow {
  readonly user: string;
  /** From 1. */
  readonly rank: number;
  readonly item: string;
  readonly title: string;
  readonly score: number;
}

/** SQL types of a file's columns, by name, in order. */
export type Columns<Row> = Readonly<Record<keyof Row & string, string>>;

export const LIST_COLUMNS: Columns<ListRow> = {
  user: 'VARCHAR',
  rank: 'INTEGER',
  item: 'VARCHAR',
  title: 'VARCHAR',
  score: 'FLOAT',
};

/**
 * The format asked for, else by the file's extension, CSV where it has none.
 * @throws RecsysError USAGE for another extension
 */
export function listFormat(file: string, asked: ListFormat | undefined): ListFormat {
  if (asked === undefined && extname(file) === '') return 'csv';
  return formatOf(file, asked, LIST_FORMATS, 'lists');
}

/**
 * The format asked for, else by the file's extension.
 * @throws RecsysError USAGE for none of `formats`
 */
export function formatOf<Format extends ListFormat>(
  file: string,
  asked: Format | undefined,
  formats: readonly Format[],
  what: string,
): Format {
  const extension = extname(file).toLowerCase();
  const known = asked ?? formats.find((format) => `.${format}` === extension);
  if (known) return known;
  const how = extension === '' ? 'without an extension' : `as ${extension}`;
  throw new RecsysError('USAGE', `${file}: no ${what} are written ${how}`, {
    remedy: `Name it ${formats.map((format) => `.${format}`).join(', ')}, or say --format.`,
  });
}

const cell = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

interface Encoder<Row> {
  readonly header: string;
  line(row: Row): string;
}

function encoder<Row>(format: 'csv' | 'jsonl', columns: Columns<Row>): Encoder<Row> {
  if (format === 'jsonl') return { header: '', line: (row) => `${JSON.stringify(row)}\n` };
  const names = Object.keys(columns) as (keyof Row & string)[];
  return {
    header: `${names.join(',')}\n`,
    line: (row) => `${names.map((name) => cell(String(row[name]))).join(',')}\n`,
  };
}

/**
 * Writes rows to a file, all or nothing: into `<file>.partial`, renamed when complete.
 *
 * @returns the number of rows
 * @throws OUTPUT_EXISTS where the file exists and `force` is false, DISK
 */
export async function writeRows<Row>(
  file: string,
  rows: AsyncIterable<Row>,
  columns: Columns<Row>,
  format: ListFormat,
  force: boolean,
): Promise<number> {
  const partial = `${file}.partial`;
  const text = format === 'parquet' ? `${file}.rows.partial` : partial;
  try {
    await refuseExisting(file, force);
    await mkdir(dirname(file), { recursive: true });
    const count = await writeText(text, rows, encoder(format === 'parquet' ? 'jsonl' : format, columns));
    if (format === 'parquet') await jsonlToParquet(text, partial, columns);
    await sync(partial);
    await rename(partial, file);
    return count;
  } catch (error) {
    await rm(partial, { force: true }).catch(() => undefined);
    throw diskError(error, file);
  } finally {
    if (text !== partial) await rm(text, { force: true }).catch(() => undefined);
  }
}

export async function refuseExisting(file: string, force: boolean): Promise<void> {
  const kind = await kindOf(file);
  if (kind === 'directory') {
    throw new RecsysError('OUTPUT_EXISTS', `${file} is a directory, where a file is to be written`, {
      remedy: 'Choose another --out.',
    });
  }
  if (kind === 'file' && !force) throw new RecsysError('OUTPUT_EXISTS', `${file} exists already`);
}

async function writeText<Row>(
  file: string,
  rows: AsyncIterable<Row>,
  { header, line }: Encoder<Row>,
): Promise<number> {
  const stream = createWriteStream(file);
  const failed = new Promise<never>((_, reject) => stream.once('error', reject));
  failed.catch(() => undefined);
  let count = 0;
  try {
    await Promise.race([once(stream, 'open'), failed]);
    stream.write(header);
    for await (const row of rows) {
      count++;
      if (!stream.write(line(row))) await Promise.race([once(stream, 'drain'), failed]);
    }
    stream.end();
    await finished(stream);
    return count;
  } finally {
    stream.destroy();
  }
}
