import { DuckDBInstance } from '@duckdb/node-api';
import { RecsysError } from '../errors.js';
import { literal } from './staging.js';

/** Visits the rows of a Parquet file in order; `$` in the query stands for it. Errors: DATASET_DAMAGED. */
export async function scan(
  path: string,
  query: string,
  visit: (cells: (column: number) => unknown) => void,
): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '2',
    preserve_insertion_order: 'true',
  });
  const connection = await instance.connect();
  try {
    const result = await connection.stream(query.replace('$', `read_parquet(${literal(path)})`));
    for (;;) {
      const chunk = await result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) return;
      const vectors = Array.from({ length: chunk.columnCount }, (_, c) => chunk.getColumnVector(c));
      let row = 0;
      const cells = (column: number): unknown => vectors[column]!.getItem(row);
      for (; row < chunk.rowCount; row++) visit(cells);
    }
  } catch (error) {
    if (error instanceof RecsysError) throw error;
    throw new RecsysError('DATASET_DAMAGED', `${path}: ${(error as Error).message.split('\n')[0]}`, {
      cause: error,
    });
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
