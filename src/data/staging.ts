import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type DuckDBAppender,
  type DuckDBConnection,
  type DuckDBDataChunk,
  DuckDBInstance,
} from '@duckdb/node-api';
import { RecsysError } from '../errors.js';

/** A value of one result cell. */
export type Cell = string | number | bigint | boolean | null;

/** Quotes a text as an SQL literal. */
export const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
/** Quotes a name as an SQL identifier. */
export const identifier = (name: string) => `"${name.replaceAll('"', '""')}"`;

/**
 * The on-disk database in which rows are sorted, joined and counted. What exceeds its memory limit spills to files beside
 * it; all of it disappears with `close`.
 */
export class Staging {
  private closed = false;

  private constructor(
    private readonly folder: string,
    private readonly instance: DuckDBInstance,
    private readonly connection: DuckDBConnection,
    private readonly signal: AbortSignal,
    private readonly interrupt: () => void,
  ) {}

  static async open(parent: string, memoryLimit: string, signal: AbortSignal): Promise<Staging> {
    const folder = join(parent, 'staging');
    await mkdir(folder, { recursive: true });
    const instance = await DuckDBInstance.create(join(folder, 'rows.duckdb'), {
      memory_limit: memoryLimit.replace(/\s/g, ''),
      temp_directory: join(folder, 'spill'),
      preserve_insertion_order: 'true',
    });
    const connection = await instance.connect();
    const interrupt = () => connection.interrupt();
    signal.addEventListener('abort', interrupt);
    return new Staging(folder, instance, connection, signal, interrupt);
  }

  async run(sql: string): Promise<void> {
    await this.guarded(() => this.connection.run(sql));
  }

  /** All rows of a small result. */
  async rows(sql: string): Promise<Cell[][]> {
    const reader = await this.guarded(() => this.connection.runAndReadAll(sql));
    return reader.getRowsJS() as Cell[][];
  }

  /** The first row's numbers. */
  async numbers(sql: string): Promise<number[]> {
    const [row] = await this.rows(sql);
    return (row ?? []).map((v) => Number(v ?? 0));
  }

  /** Streams a result chunk by chunk: bounded memory. */
  async *chunks(sql: string): AsyncGenerator<DuckDBDataChunk> {
    const result = await this.guarded(() => this.connection.stream(sql));
    for (;;) {
      const chunk = await this.guarded(() => result.fetchChunk());
      if (!chunk || chunk.rowCount === 0) return;
      yield chunk;
    }
  }

  async appender(table: string): Promise<DuckDBAppender> {
    return this.guarded(() => this.connection.createAppender(table));
  }

  /** Closes the database and removes its files. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.signal.removeEventListener('abort', this.interrupt);
    this.connection.closeSync();
    this.instance.closeSync();
    await rm(this.folder, { recursive: true, force: true });
  }

  private async guarded<T>(work: () => Promise<T>): Promise<T> {
    if (this.signal.aborted) throw interrupted();
    return work();
  }

  /** The user's error behind a failure of the database, or the error itself where it is none of these. */
  explain(error: unknown): unknown {
    if (error instanceof RecsysError || !(error instanceof Error)) return error;
    if (this.signal.aborted) return interrupted();
    const [first = ''] = error.message.split('\n');
    if (/out of memory|could not allocate/i.test(first)) {
      const message = `the staging database ran out of memory: ${first}`;
      return new RecsysError('ENVIRONMENT', message, { remedy: 'Raise `memoryLimit`.', cause: error });
    }
    if (/no space left|disk.*full/i.test(error.message))
      return new RecsysError('DISK', `no space left for the staging database in ${this.folder}`, {
        cause: error,
      });
    return error;
  }
}

/** The error of a stage that was asked to stop. */
export function interrupted(): RecsysError {
  return new RecsysError('INTERRUPTED', 'prepare was interrupted; nothing was written');
}
