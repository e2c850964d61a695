import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { TestContext } from 'node:test';
import type { Dataset } from '../../src/data/dataset.js';
import { prepare } from '../../src/data/prepare.js';
import { readDataset } from '../../src/data/read.js';
import { prepareSchema } from '../../src/data/schema.js';
import { type ErrorCode, RecsysError } from '../../src/errors.js';
import type { StageContext } from '../../src/types.js';

/** A context that keeps what it is told. */
export function context(
  signal = new AbortController().signal,
): StageContext & { logs: string[]; tasks: Set<string> } {
  const logs: string[] = [];
  const tasks = new Set<string>();
  return {
    logs,
    tasks,
    signal,
    log: (_, message) => void logs.push(message),
    progress: (event) => void tasks.add(event.task),
  };
}

/** A folder with the given files, removed after the test. */
export async function folder(
  t: TestContext | undefined,
  files: Readonly<Record<string, string | Uint8Array>> = {},
): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'recsys-data-'));
  t?.after(() => rm(dir, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), content);
  }
  return dir;
}

/** Prepares `config` over `files` in a folder of its own and reads the result back. */
export async function prepared(
  t: TestContext | undefined,
  files: Readonly<Record<string, string | Uint8Array>>,
  config: Record<string, unknown>,
): Promise<Dataset> {
  const raw = await folder(t, files);
  const out = join(raw, 'out');
  await mkdir(out);
  await prepare(prepareSchema.parse({ raw, ...config }), out, context());
  const dataset = await readDataset(out);
  if (!t) await rm(raw, { recursive: true, force: true });
  return dataset;
}

/** A row as people write it. */
export type Row = readonly [user: string, item: string, time: number, value?: number];

export const csvOf = (rows: readonly Row[]) =>
  `user,item,time,value\n${rows.map(([u, i, t, v]) => `${u},${i},${t},${v ?? 1}\n`).join('')}`;

/** `interactions` for `csvOf` in rows.csv. */
export const ROWS = {
  path: 'rows.csv',
  columns: { user: 'user', item: 'item', time: 'time', value: 'value' },
} as const;

/** The dataset's rows with ids instead of indices. */
export function rowsOf({ catalogue, interactions: r }: Dataset) {
  return Array.from({ length: r.length }, (_, n) => ({
    user: catalogue.users[r.user[n]!]!,
    item: catalogue.items[r.item[n]!]!,
    time: r.time[n]!,
    behaviour: catalogue.behaviours[r.behaviour[n]!]!,
    value: r.value[n]!,
    split: (['train', 'validation', 'test'] as const)[r.split[n]!]!,
  }));
}

/** For assert.rejects: the error's code, and texts its message holds. */
export function failure(code: ErrorCode, ...texts: readonly string[]) {
  return (error: unknown): boolean => {
    if (!(error instanceof RecsysError)) throw error;
    const missing = texts.filter((text) => !error.message.includes(text));
    if (error.code !== code || missing.length > 0) {
      throw new Error(
        `expected ${code} with ${JSON.stringify(texts)}, found ${error.code}: ${error.message}`,
      );
    }
    return true;
  };
}

/** Folder of the real data sets. */
export const REAL = process.env.RECSYS_DATA ?? resolve(import.meta.dirname, '../../../shared/data');

/** For a test's `skip`: says which data set is absent, or false. */
export const without = (name: string): string | false =>
  existsSync(join(REAL, name)) ? false : `data set ${name} is not here`;
