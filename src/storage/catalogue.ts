/** The catalogue inside a checkpoint: vocabularies as JSON lines, attributes as tensors with their names beside them. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { RecsysError } from '../errors.js';
import type { Catalogue, FeatureTable, HostTensor, TensorMap } from '../types.js';
import { systemCode } from './disk.js';
import { describeTensor } from './safetensors.js';
import type { FileRecord } from './tensor-file.js';

/** The vocabularies: line i + 1 of `vocabulary/<name>.jsonl` is entry i. */
export const VOCABULARIES = ['users', 'items', 'behaviours', 'titles'] as const;

/** Writes one JSON string per line. */
export async function writeLines(path: string, lines: readonly string[]): Promise<void> {
  await writeFile(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''), { flush: true });
}

/**
 * Reads one JSON string per line, checking size and checksum on the way.
 * @throws CHECKPOINT_DAMAGED naming the file
 */
export async function readLines(path: string, expected: FileRecord): Promise<string[]> {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(await readChecked(path, expected));
  if (text === '') return [];
  try {
    return z.array(z.string()).parse(JSON.parse(`[${text.trimEnd().replaceAll('\n', ',')}]`));
  } catch (error) {
    throw new RecsysError('CHECKPOINT_DAMAGED', `${path} is not one JSON string per line`, { cause: error });
  }
}

/** The bytes of a file after comparing its size and SHA-256 with what its manifest records. */
export async function readChecked(path: string, expected: FileRecord): Promise<Uint8Array> {
  const hash = createHash('sha256');
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path, {
      highWaterMark: 1 << 20,
    }) as AsyncIterable<Uint8Array>) {
      hash.update(chunk);
      chunks.push(chunk);
      bytes += chunk.byteLength;
    }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw new RecsysError('CHECKPOINT_DAMAGED', `${path} is missing`);
    throw error;
  }
  if (bytes !== expected.bytes) {
    throw new RecsysError(
      'CHECKPOINT_DAMAGED',
      `${path} has ${bytes} bytes, its manifest records ${expected.bytes}`,
    );
  }
  if (hash.digest('hex') !== expected.sha256) {
    throw new RecsysError(
      'CHECKPOINT_DAMAGED',
      `${path} was altered: its SHA-256 is not the one its manifest records`,
    );
  }
  return Buffer.concat(chunks, bytes);
}

/** Names of a feature table's columns; the values are tensors in features.safetensors. */
export const featureNamesSchema = z.object({
  items: z.object({ tokenNames: z.array(z.string()), numberNames: z.array(z.string()) }),
  users: z.object({ tokenNames: z.array(z.string()), numberNames: z.array(z.string()) }),
});
type FeatureNames = z.infer<typeof featureNamesSchema>;

export async function writeVocabularies(dir: string, catalogue: Catalogue): Promise<void> {
  await mkdir(join(dir, 'vocabulary'), { recursive: true });
  for (const name of VOCABULARIES)
    await writeLines(join(dir, 'vocabulary', `${name}.jsonl`), catalogue[name]);
}

function tableTensors(prefix: string, table: FeatureTable): [string, HostTensor][] {
  return [
    [`${prefix}.tokens`, { dtype: 'I32', shape: [table.rows, table.width], data: table.tokens }],
    [
      `${prefix}.numbers`,
      { dtype: 'F32', shape: [table.rows, table.numberNames.length], data: table.numbers },
    ],
  ];
}

export function featureTensors(catalogue: Catalogue): TensorMap {
  return new Map([
    ['items.counts', { dtype: 'F32', shape: [catalogue.itemCounts.length], data: catalogue.itemCounts }],
    ...tableTensors('items', catalogue.itemFeatures),
    ...tableTensors('users', catalogue.userFeatures),
  ]);
}

export function featureNames({ itemFeatures, userFeatures }: Catalogue): FeatureNames {
  return {
    items: { tokenNames: [...itemFeatures.tokenNames], numberNames: [...itemFeatures.numberNames] },
    users: { tokenNames: [...userFeatures.tokenNames], numberNames: [...userFeatures.numberNames] },
  };
}

/** Puts a catalogue together again and checks that its parts agree in size. */
export function catalogueOf(
  vocabularies: Readonly<Record<(typeof VOCABULARIES)[number], readonly string[]>>,
  names: FeatureNames,
  tensors: TensorMap,
  where: string,
): Catalogue {
  const { users, items, behaviours, titles } = vocabularies;
  const damaged = (what: string) => new RecsysError('CHECKPOINT_DAMAGED', `${where}: ${what}`);
  const ints = (name: string, rows: number): HostTensor & { data: Int32Array } => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw damaged(`tensor "${name}" is missing`);
    const { data } = tensor;
    if (!(data instanceof Int32Array) || tensor.shape.length !== 2 || tensor.shape[0] !== rows) {
      throw damaged(`tensor "${name}": expected I32 [${rows}, …], found ${describeTensor(tensor)}`);
    }
    return { ...tensor, data };
  };
  const floats = (name: string, shape: readonly number[]): Float32Array => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw damaged(`tensor "${name}" is missing`);
    if (!(tensor.data instanceof Float32Array) || tensor.shape.join() !== shape.join()) {
      throw damaged(`tensor "${name}": expected F32 [${shape.join(', ')}], found ${describeTensor(tensor)}`);
    }
    return tensor.data;
  };
  const table = (prefix: 'items' | 'users', rows: number): FeatureTable => {
    const { tokenNames, numberNames } = names[prefix];
    const tokens = ints(`${prefix}.tokens`, rows);
    const stray = tokens.data.find((token) => token < 0 || token >= Math.max(1, tokenNames.length));
    if (stray !== undefined)
      throw damaged(`tensor "${prefix}.tokens": token ${stray}, and there are ${tokenNames.length} names`);
    return {
      rows,
      width: tokens.shape[1]!,
      tokens: tokens.data,
      tokenNames,
      numbers: floats(`${prefix}.numbers`, [rows, numberNames.length]),
      numberNames,
    };
  };
  if (titles.length !== items.length) throw damaged(`${titles.length} titles for ${items.length} items`);
  return {
    users,
    items,
    behaviours,
    titles,
    itemFeatures: table('items', items.length),
    userFeatures: table('users', users.length),
    itemCounts: floats('items.counts', [items.length]),
  };
}
