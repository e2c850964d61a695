import { DuckDBInstance } from '@duckdb/node-api';
import { RecsysError } from '../../errors.js';
import { positionsOf } from './columns.js';
import type { RawValue, Reader } from './reader.js';

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;

/** Parquet through DuckDB. Times become dates whatever `timeFormat` says; lists become tags. */
export const parquet: Reader = {
  async read(request, sink) {
    if (request.path === '-') {
      throw new RecsysError('DATA_UNREADABLE', 'parquet cannot be read from standard input', {
        remedy: 'Give a file, or send csv or jsonl.',
      });
    }
    const instance = await DuckDBInstance.create(':memory:', { threads: '1', memory_limit: '256MB' });
    const connection = await instance.connect();
    try {
      const source = `read_parquet(${quoted(request.path)})`;
      const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${source}`);
      const schema = described
        .getRowsJS()
        .map(([name, type]) => ({ name: String(name), type: String(type) }));
      const positions = positionsOf(
        request.columns,
        schema.map((c) => c.name),
        request.path,
      );
      const selected = positions.map((p) => {
        const { name, type } = schema[p]!;
        const column = `"${name.replaceAll('"', '""')}"`;
        if (type.startsWith('TIMESTAMP') || type === 'DATE') return `epoch_ms(CAST(${column} AS TIMESTAMP))`;
        if (type.endsWith('[]')) return `CAST(${column} AS VARCHAR[])`;
        if (['DOUBLE', 'FLOAT', 'INTEGER', 'SMALLINT', 'TINYINT', 'BOOLEAN'].includes(type)) return column;
        return `CAST(${column} AS VARCHAR)`;
      });
      const dates = positions.map((p) => /^(TIMESTAMP|DATE)/.test(schema[p]!.type));
      const result = await connection.stream(`SELECT ${selected.join(', ')} FROM ${source}`);
      let line = 0;
      for await (const rows of result.yieldRowsJs()) {
        request.signal.throwIfAborted();
        for (const row of rows) {
          line++;
          const values = row.map((v, i) => (dates[i] && v !== null ? new Date(Number(v)) : (v as RawValue)));
          sink.record(values, line, () => values.map(String).join(','));
        }
      }
    } catch (error) {
      if (error instanceof RecsysError || request.signal.aborted) throw error;
      throw new RecsysError(
        'DATA_UNREADABLE',
        `${request.path}: ${(error as Error).message.split('\n')[0]}`,
        {
          cause: error,
        },
      );
    } finally {
      connection.closeSync();
      instance.closeSync();
    }
  },
};
