const quoted = (path: string): string => `'${path.replaceAll("'", "''")}'`;

/** Runs one statement of DuckDB in memory; gives its rows. Row order is kept. */
async function duckdb(statement: string): Promise<Record<string, unknown>[]> {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(':memory:', { preserve_insertion_order: 'true' });
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(statement)).getRowObjectsJS();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Copies a JSONL file into a Parquet file. `columns`: SQL types by name, in order. */
export async function jsonlToParquet(
  jsonl: string,
  file: string,
  columns: Readonly<Record<string, string>>,
): Promise<void> {
  const types = Object.entries(columns).map(([name, type]) => `"${name}": '${type}'`);
  await duckdb(
    `COPY (SELECT * FROM read_json(${quoted(jsonl)}, format = 'newline_delimited', maximum_object_size = 268435456, columns = {${types.join(', ')}})) TO ${quoted(file)} (FORMAT parquet)`,
  );
}

/** Rows of a Parquet file: `count` of them after the first `from`. */
export function readParquet(file: string, from: number, count: number): Promise<Record<string, unknown>[]> {
  return duckdb(`SELECT * FROM read_parquet(${quoted(file)}) LIMIT ${count} OFFSET ${from}`);
}
