import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { z } from 'zod';
import { RecsysError } from '../errors.js';
import { sha256File } from '../storage/hash.js';
import { decodeSafetensors } from '../storage/safetensors.js';
import type { Catalogue, FeatureTable, TensorMap } from '../types.js';
import type { Side } from './attributes.js';
import type { Dataset, Interactions } from './dataset.js';
import { type Fitted, scalingSchema } from './features.js';
import { DATASET_FORMAT, type DatasetManifest, datasetManifestSchema } from './manifest.js';
import { FILES } from './paths.js';
import { literal } from './staging.js';
import { readVocabulary } from './vocabulary.js';

/** Reads a dataset directory into memory, every file checked against the manifest. Errors: FILE_MISSING, DATASET_DAMAGED naming the file. */
export async function readDataset(dir: string): Promise<Dataset> {
  const manifest = await readManifest(dir);
  await verify(dir, manifest);
  const catalogue = await readCatalogue(dir, manifest);
  const interactions = await readInteractions(dir, manifest);
  return { path: dir, manifest, catalogue, interactions };
}

/** Reads and checks `manifest.json`. Errors: FILE_MISSING where there is no dataset, DATASET_DAMAGED. */
export async function readManifest(dir: string): Promise<DatasetManifest> {
  const path = join(dir, FILES.manifest);
  const found = await stat(dir).catch(() => undefined);
  if (!found) throw new RecsysError('FILE_MISSING', `there is no dataset ${dir}`);
  if (!found.isDirectory()) throw new RecsysError('FILE_MISSING', `${dir} is a file; a dataset is a directory that \`recsys prepare\` wrote`);
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new RecsysError('FILE_MISSING', `${dir} is not a dataset: it has no ${FILES.manifest}`, {
        remedy: 'Give a directory that `recsys prepare` wrote.',
      });
    throw new RecsysError('DATASET_DAMAGED', `${path}: ${(error as Error).message}`, { cause: error });
  }
  const kind = z.object({ kind: z.string() }).safeParse(value).data?.kind;
  if (kind === 'checkpoint')
    throw new RecsysError('DATASET_DAMAGED', `${dir} is a checkpoint; a dataset is expected here`, {
      remedy: 'Give the directory that `recsys prepare` wrote (--data).',
    });
  const version = z.object({ formatVersion: z.number() }).safeParse(value).data?.formatVersion;
  if (version !== undefined && version > DATASET_FORMAT)
    throw new RecsysError('DATASET_DAMAGED', `${dir} has dataset format ${version}; this recsys reads up to ${DATASET_FORMAT}`, {
      remedy: 'Update recsys, or run `recsys prepare` again with this version.',
    });
  const parsed = datasetManifestSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new RecsysError('DATASET_DAMAGED', `${path}: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  return parsed.data;
}

async function verify(dir: string, manifest: DatasetManifest): Promise<void> {
  for (const [name, { bytes, sha256 }] of Object.entries(manifest.files)) {
    if (name === FILES.rejected) continue;
    const path = join(dir, name);
    const found = await stat(path).catch(() => undefined);
    if (!found) throw new RecsysError('DATASET_DAMAGED', `${path} is missing`);
    if (found.size !== bytes) throw new RecsysError('DATASET_DAMAGED', `${path} has ${found.size} bytes instead of ${bytes}`);
    if ((await sha256File(path)) !== sha256) throw new RecsysError('DATASET_DAMAGED', `${path} is not what prepare wrote: its checksum differs`);
  }
}

async function readCatalogue(dir: string, manifest: DatasetManifest): Promise<Catalogue> {
  const path = join(dir, FILES.features);
  const tensors = decodeSafetensors(await readFile(path), path);
  const users = await readVocabulary(join(dir, FILES.ids.users), true);
  const items = await readVocabulary(join(dir, FILES.ids.items), true);
  const fitted = await readFitted(dir);
  const counts = tensors.get('item.counts')?.data;
  if (!(counts instanceof Float32Array) || counts.length !== items.length)
    throw new RecsysError('DATASET_DAMAGED', `${path}: item.counts does not fit the ${items.length - 1} items`);
  return {
    users,
    items,
    behaviours: manifest.behaviours.map((b) => b.name),
    titles: await readTitles(dir, items.length),
    itemFeatures: table(tensors, 'item', items.length, fitted.items, path),
    userFeatures: table(tensors, 'user', users.length, fitted.users, path),
    itemCounts: counts,
  };
}

function table(tensors: TensorMap, side: string, rows: number, fitted: Fitted, path: string): FeatureTable {
  const tokens = tensors.get(`${side}.tokens`);
  const numbers = tensors.get(`${side}.numbers`);
  const fits =
    tokens?.data instanceof Int32Array &&
    numbers?.data instanceof Float32Array &&
    tokens.shape[0] === rows &&
    numbers.shape[0] === rows &&
    numbers.shape[1] === fitted.scalings.length;
  if (!fits) throw new RecsysError('DATASET_DAMAGED', `${path}: the ${side} features do not fit the vocabulary`);
  return {
    rows,
    width: tokens.shape[1] ?? 0,
    tokens: tokens.data as Int32Array,
    tokenNames: fitted.tokenNames,
    numbers: numbers.data as Float32Array,
    numberNames: fitted.scalings.map((s) => s.name),
  };
}

async function readFitted(dir: string): Promise<Record<Side, Fitted>> {
  const path = join(dir, FILES.scalings);
  const schema = z.object({ items: z.array(scalingSchema), users: z.array(scalingSchema) });
  const scalings = schema.parse(JSON.parse(await readFile(path, 'utf8')));
  return {
    items: { tokenNames: await readVocabulary(join(dir, FILES.tokens.items), true), scalings: scalings.items },
    users: { tokenNames: await readVocabulary(join(dir, FILES.tokens.users), true), scalings: scalings.users },
  };
}

/** What an extension takes over from the dataset it extends. */
export interface Extended {
  /** Ids in the order of their numbers, from 1 (no padding entry). */
  readonly users: readonly string[];
  readonly items: readonly string[];
  readonly behaviours: readonly { name: string; weight: number }[];
  readonly itemFitted: Fitted;
  readonly userFitted: Fitted;
  readonly fingerprint: string;
}

/** Reads the vocabularies of the dataset to extend. */
export async function readExtended(dir: string): Promise<Extended> {
  const manifest = await readManifest(dir);
  await verify(dir, manifest);
  const fitted = await readFitted(dir);
  return {
    users: await readVocabulary(join(dir, FILES.ids.users), false),
    items: await readVocabulary(join(dir, FILES.ids.items), false),
    behaviours: manifest.behaviours,
    itemFitted: fitted.items,
    userFitted: fitted.users,
    fingerprint: manifest.fingerprint,
  };
}

async function readTitles(dir: string, length: number): Promise<string[]> {
  const titles = new Array<string>(length).fill('');
  const path = join(dir, FILES.entities.items);
  await scan(path, 'SELECT index, title FROM $ WHERE title IS NOT NULL', (cells) => {
    titles[Number(cells(0))] = String(cells(1));
  });
  return titles;
}

async function readInteractions(dir: string, manifest: DatasetManifest): Promise<Interactions> {
  const { interactions: length, users } = manifest.counts;
  const rows = {
    length,
    user: new Int32Array(length),
    item: new Int32Array(length),
    time: new Float64Array(length),
    behaviour: new Uint8Array(length),
    value: new Float32Array(length),
    split: new Uint8Array(length),
    offsets: new Int32Array(users + 2),
  };
  const path = join(dir, FILES.interactions);
  const time = manifest.time === 'epoch' ? 'CAST(epoch_ms("time") AS DOUBLE)' : '"time"';
  let at = 0;
  await scan(path, `SELECT user_index, item_index, ${time}, behaviour_index, value, split FROM $`, (cells) => {
    if (at >= length) throw new RecsysError('DATASET_DAMAGED', `${path} has more rows than the manifest says (${length})`);
    rows.user[at] = Number(cells(0));
    rows.item[at] = Number(cells(1));
    rows.time[at] = Number(cells(2));
    rows.behaviour[at] = Number(cells(3));
    const value = cells(4);
    rows.value[at] = value === null ? Number.NaN : Number(value);
    rows.split[at] = Number(cells(5));
    at++;
  });
  if (at !== length) throw new RecsysError('DATASET_DAMAGED', `${path} has ${at} rows instead of ${length}`);
  for (let r = 0; r < length; r++) {
    const u = rows.user[r]! + 1;
    rows.offsets[u] = rows.offsets[u]! + 1;
  }
  for (let u = 1; u < rows.offsets.length; u++) rows.offsets[u] = rows.offsets[u]! + rows.offsets[u - 1]!;
  return rows;
}

/** Visits the rows of a Parquet file in order; `$` in the query stands for it. */
async function scan(path: string, query: string, visit: (cells: (column: number) => unknown) => void): Promise<void> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2', preserve_insertion_order: 'true' });
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
    throw new RecsysError('DATASET_DAMAGED', `${path}: ${(error as Error).message.split('\n')[0]}`, { cause: error });
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
