import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';

/** One row of `metrics.jsonl`: the epoch (or step) and what was measured. */
export type MetricsRow = Readonly<Record<string, number>>;

export interface MetricsLog {
  /** All rows so far, those of the resumed run included. */
  readonly rows: readonly MetricsRow[];
  append(row: MetricsRow): Promise<void>;
  close(): Promise<void>;
}

// JSON has no NaN: a value that is not finite is written as null and read back as NaN.
const rowSchema = z.record(
  z.string(),
  z
    .number()
    .nullable()
    .transform((value) => value ?? Number.NaN),
);

function parseLine(line: string): MetricsRow | undefined {
  try {
    return rowSchema.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}

/** Rows of a metrics.jsonl up to the first line that is cut off; none where there is no file. */
export async function readMetrics(path: string): Promise<MetricsRow[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const rows: MetricsRow[] = [];
  for (const line of text.split('\n')) {
    const row = line === '' ? undefined : parseLine(line);
    if (row === undefined) break;
    rows.push(row);
  }
  return rows;
}

/**
 * Opens `metrics.jsonl`: one JSON object a line, on the disk after each append.
 * @param resumeFrom keep the rows whose `by` (default `epoch`) is at most this, and drop what a killed run wrote later
 */
export async function openMetricsLog(
  path: string,
  options: { resumeFrom?: number; by?: string } = {},
): Promise<MetricsLog> {
  const { resumeFrom, by = 'epoch' } = options;
  await mkdir(dirname(path), { recursive: true });
  const rows =
    resumeFrom === undefined ? [] : (await readMetrics(path)).filter((row) => (row[by] ?? 0) <= resumeFrom);
  await writeFile(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const handle = await open(path, 'a');
  return {
    rows,
    async append(row) {
      rows.push(row);
      await handle.appendFile(`${JSON.stringify(row)}\n`);
    },
    close: () => handle.close(),
  };
}
