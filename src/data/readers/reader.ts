import type { ColumnRef } from '../source-schema.js';

/** A value as a reader found it; text formats give strings. */
export type RawValue = string | number | bigint | boolean | Date | null | undefined | readonly RawValue[];

/** One source to read: where it is, how it is written and which columns are wanted. */
export interface ReadRequest {
  /** Absolute path, or '-' for standard input. */
  readonly path: string;
  /** How messages and rejected.csv name the file. */
  readonly name: string;
  readonly delimiter: string | undefined;
  readonly header: boolean | readonly string[];
  readonly quote: boolean;
  readonly encoding: 'utf-8' | 'latin-1';
  /** Columns whose values are wanted, in this order. */
  readonly columns: readonly ColumnRef[];
  readonly signal: AbortSignal;
  /** Called now and then with the bytes of the file read so far. */
  onBytes(bytes: number): void;
}

/** Where a reader sends what it finds. Lines are counted from 1. */
export interface RecordSink {
  /** Values aligned with `ReadRequest.columns`; undefined where a row is too short. `raw` gives the row as text. */
  record(values: readonly RawValue[], line: number, raw: () => string): void;
  reject(line: number, reason: string, raw: string): void;
}

/** Reads one file of a format, row by row, in constant memory. Adding a format: one file here, one line in readers/index.ts. */
export interface Reader {
  /** Names of the columns that the format itself brings; absent where the user maps them. */
  readonly columns?: readonly string[];
  read(request: ReadRequest, sink: RecordSink): Promise<void>;
}
