import { pipeline } from 'node:stream';
import { CsvError, parse } from 'csv-parse';
import { RecsysError } from '../../errors.js';
import { guessDelimiter, positionsOf } from './columns.js';
import type { Reader, ReadRequest } from './reader.js';
import { openBytes, unreadable } from './source.js';

/** Text with columns between delimiters, through csv-parse's streaming parser. */
export function delimited(defaultDelimiter: string): Reader {
  return {
    async read(request, sink) {
      const delimiter = request.delimiter ?? defaultDelimiter;
      const bytes = await openBytes(request);
      const parser = parse({
        delimiter,
        quote: request.quote ? '"' : null,
        escape: request.quote ? '"' : null,
        encoding: request.encoding === 'latin-1' ? 'latin1' : 'utf8',
        bom: request.encoding === 'utf-8',
        relax_column_count: true,
        relax_quotes: true,
        max_record_size: 1 << 24,
      });
      pipeline(bytes, parser, () => undefined);
      let positions: number[] | undefined;
      let line = 1;
      try {
        for await (const fields of parser as AsyncIterable<string[]>) {
          const here = line;
          line += 1 + (request.quote ? embeddedBreaks(fields) : 0);
          if ((here & 1023) === 0) request.signal.throwIfAborted();
          if (fields.length === 1 && fields[0] === '') continue;
          if (positions === undefined) {
            positions = locate(request, delimiter, fields, here);
            if (request.header === true) continue;
          }
          sink.record(
            positions.map((p) => fields[p]),
            here,
            () => fields.join(delimiter),
          );
        }
      } catch (error) {
        throw request.signal.aborted ? error : explain(request, error, line);
      }
    },
  };
}

function embeddedBreaks(fields: readonly string[]): number {
  let count = 0;
  for (const field of fields) {
    for (let at = field.indexOf('\n'); at >= 0; at = field.indexOf('\n', at + 1)) count++;
  }
  return count;
}

/** Positions of the wanted columns, decided on the first row. */
function locate(request: ReadRequest, delimiter: string, first: readonly string[], line: number): number[] {
  const where = `${request.path === '-' ? request.name : request.path}:${line}`;
  const names =
    request.header === true
      ? first
      : request.header === false
        ? first.map((_, i) => String(i + 1))
        : request.header;
  if (first.length === 1 && new Set(request.columns).size > 1) {
    const better = guessDelimiter(first[0] ?? '');
    if (better !== undefined && better !== delimiter)
      throw new RecsysError(
        'COLUMN_MISSING',
        `${where}: only one column is found with delimiter ${JSON.stringify(delimiter)}; ${JSON.stringify(better)} seems right`,
      );
  }
  return positionsOf(request.columns, names, where);
}

function explain(request: ReadRequest, error: unknown, line: number): RecsysError {
  if (!(error instanceof CsvError)) return unreadable(request, error);
  const quotes = error.code.includes('QUOTE') || error.code === 'CSV_MAX_RECORD_SIZE';
  return new RecsysError(
    'DATA_UNREADABLE',
    `${request.name}:${line}: ${quotes ? 'a quote is opened here and never closed; set `quote: false` if quotes are part of the text' : error.message}`,
    { cause: error },
  );
}
