/** Files of item vectors, and the vectors read back from them. */
import { createWriteStream } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ItemVectors } from '../export/artefact.js';
import type { ExportConfig } from '../export/schema.js';
import type { VectorFiles } from '../export/vector-export.js';
import { decodeNpy, encodeNpy } from '../storage/npy.js';
import type { Catalogue } from '../types.js';
import { jsonlToParquet, readParquet } from './parquet.js';

const PARQUET = 'items.parquet';
const NPY = { vectors: 'vectors.npy', offsets: 'offsets.npy' } as const;

const COLUMNS = { index: 'INTEGER', id: 'VARCHAR', title: 'VARCHAR', vector: 'FLOAT[]', offset: 'FLOAT' };

/** Rows read from Parquet at a time. */
const PART = 20_000;

/** Writes item vectors; gives, for each way they were written, its files and what is in them. */
export async function writeVectors(
  dir: string,
  kind: ExportConfig['vectors'],
  vectors: ItemVectors,
  catalogue: Catalogue,
): Promise<VectorFiles[]> {
  const written: VectorFiles[] = [];
  if (kind !== 'npy') {
    await writeParquet(dir, vectors, catalogue);
    written.push({ files: [PARQUET], read: await parquetVectors(dir, vectors) });
  }
  if (kind !== 'parquet') {
    const { width, offsets } = vectors;
    await writeFile(join(dir, NPY.vectors), encodeNpy([offsets.length, width], vectors.vectors));
    await writeFile(join(dir, NPY.offsets), encodeNpy([offsets.length], offsets));
    const read = async (name: string) => decodeNpy(await readFile(join(dir, name)), name).data;
    written.push({
      files: [NPY.vectors, NPY.offsets],
      read: { width, vectors: await read(NPY.vectors), offsets: await read(NPY.offsets) },
    });
  }
  return written;
}

/** Items alone: padding has no row. */
async function writeParquet(dir: string, vectors: ItemVectors, catalogue: Catalogue): Promise<void> {
  const jsonl = join(dir, 'items.jsonl.tmp');
  try {
    await pipeline(Readable.from(lines(vectors, catalogue)), createWriteStream(jsonl));
    await jsonlToParquet(jsonl, join(dir, PARQUET), COLUMNS);
  } finally {
    await rm(jsonl, { force: true });
  }
}

function* lines({ vectors, offsets, width }: ItemVectors, catalogue: Catalogue): Generator<string> {
  for (let index = 1; index < offsets.length; index++) {
    const row = {
      index,
      id: catalogue.items[index],
      title: catalogue.titles[index] ?? '',
      vector: Array.from(vectors.subarray(index * width, (index + 1) * width)),
      offset: offsets[index],
    };
    yield `${JSON.stringify(row)}\n`;
  }
}

async function parquetVectors(
  dir: string,
  { width, offsets: { length } }: ItemVectors,
): Promise<ItemVectors> {
  const vectors = new Float32Array(length * width);
  const offsets = new Float32Array(length);
  for (let from = 0; from < length; from += PART) {
    for (const row of await readParquet(join(dir, PARQUET), from, PART)) {
      const { index, vector, offset } = row as { index: number; vector: number[]; offset: number };
      vectors.set(vector, index * width);
      offsets[index] = offset;
    }
  }
  return { width, vectors, offsets };
}
