/** Files of user states: what `recsys adapt` writes and `recsys recommend` reads. */
import { extname } from 'node:path';
import { z } from 'zod';
import { RecsysError } from '../errors.js';
import { inBatches } from '../evaluation/batches.js';
import { BASES } from '../model/adaptation/basis.js';
import { kindOf } from '../storage/disk.js';
import { linesOf } from './histories.js';
import type { Columns } from './list-files.js';
import { readParquet } from './parquet.js';

const stateSchema = z.object({
  user: z.string(),
  events: z.number().int().min(0),
  basis: z.enum(BASES),
  model: z.string(),
  state: z.array(z.number()).min(1),
});
/** One user's state, with the checkpoint that it belongs to (the first 12 digits of its manifest's SHA-256). */
export type StateRow = z.output<typeof stateSchema>;

export const STATE_COLUMNS: Columns<StateRow> = {
  user: 'VARCHAR',
  events: 'INTEGER',
  basis: 'VARCHAR',
  model: 'VARCHAR',
  state: 'FLOAT[]',
};

/** Rows read at a time. */
const PART = 1000;

/**
 * The states of a file (JSON lines, or Parquet by its extension), some at a time.
 *
 * @throws FILE_MISSING, DATA_UNREADABLE naming file and row, CHECKPOINT_INCOMPATIBLE for a state of another checkpoint or width
 */
export async function* readStates(
  file: string,
  model: { readonly name: string; readonly width: number },
): AsyncGenerator<StateRow[]> {
  let row = 0;
  for await (const part of extname(file).toLowerCase() === '.parquet' ? parquetParts(file) : lineParts(file))
    yield part.map((value) => checked(value, `${file}:${++row}`, model));
  if (row === 0) throw new RecsysError('DATA_EMPTY', `${file}: there is no state in it`);
}

function checked(value: unknown, where: string, model: { readonly name: string; readonly width: number }) {
  const parsed = stateSchema.safeParse(value);
  if (!parsed.success)
    throw new RecsysError(
      'DATA_UNREADABLE',
      `${where}: expected a user's state as \`recsys adapt\` writes it: {"user": id, "events": n, "basis": …, "model": …, "state": [numbers]}`,
    );
  const { data } = parsed;
  if (data.model !== model.name || data.state.length !== model.width)
    throw new RecsysError(
      'CHECKPOINT_INCOMPATIBLE',
      `${where}: the state of "${data.user}" has ${data.state.length} numbers and is of the checkpoint ${data.model}; this one is ${model.name}, whose states have ${model.width}`,
      { remedy: 'Name the checkpoint that the states were made with, or run `recsys adapt` with this one.' },
    );
  return data;
}

async function* parquetParts(file: string): AsyncGenerator<unknown[]> {
  if ((await kindOf(file)) !== 'file') throw new RecsysError('FILE_MISSING', `there is no file ${file}`);
  for (let from = 0; ; from += PART) {
    const rows = await readParquet(file, from, PART).catch((cause: unknown) => {
      throw new RecsysError('DATA_UNREADABLE', `${file}: cannot be read as Parquet`, { cause });
    });
    if (rows.length > 0) yield rows;
    if (rows.length < PART) return;
  }
}

async function* lineParts(file: string): AsyncGenerator<unknown[]> {
  for await (const lines of inBatches(linesOf(file), PART)) yield lines.map(parsedLine);
}

/** What is no JSON is told with its row, like what is no state. */
function parsedLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
