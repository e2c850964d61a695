import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { RecsysError } from '../errors.js';
import { decodeSafetensors } from '../storage/safetensors.js';
import type { Catalogue, FeatureTable, TensorMap } from '../types.js';
import type { Side } from './attributes.js';
import { type Fitted, type Former, scalingSchema } from './features.js';
import type { DatasetManifest } from './manifest.js';
import { FILES } from './paths.js';
import { readManifest, verify } from './read-manifest.js';
import { scan } from './scan.js';
import { readVocabulary } from './vocabulary.js';

/** Vocabularies, titles and features of a dataset whose files were checked. */
export async function readCatalogue(dir: string, manifest: DatasetManifest): Promise<Catalogue> {
  const path = join(dir, FILES.features);
  const tensors = decodeSafetensors(await readFile(path), path);
  const users = await readVocabulary(join(dir, FILES.ids.users), true);
  const items = await readVocabulary(join(dir, FILES.ids.items), true);
  const fitted = await readFitted(dir);
  const counts = tensors.get('item.counts')?.data;
  if (!(counts instanceof Float32Array) || counts.length !== items.length)
    throw new RecsysError(
      'DATASET_DAMAGED',
      `${path}: item.counts does not fit the ${items.length - 1} items`,
    );
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
  if (!fits)
    throw new RecsysError('DATASET_DAMAGED', `${path}: the ${side} features do not fit the vocabulary`);
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
    items: {
      tokenNames: await readVocabulary(join(dir, FILES.tokens.items), true),
      scalings: scalings.items,
    },
    users: {
      tokenNames: await readVocabulary(join(dir, FILES.tokens.users), true),
      scalings: scalings.users,
    },
  };
}

/** What an extension takes over from the dataset it extends. */
export interface Extended {
  readonly dir: string;
  /** Ids in the order of their numbers, from 1 (no padding entry). */
  readonly users: readonly string[];
  readonly items: readonly string[];
  readonly behaviours: readonly { name: string; weight: number }[];
  readonly features: Readonly<Record<Side, Former>>;
  readonly fingerprint: string;
}

/** Reads the vocabularies of the dataset to extend. */
export async function readExtended(dir: string): Promise<Extended> {
  const manifest = await readManifest(dir);
  await verify(dir, manifest);
  const { users, items, itemFeatures, userFeatures } = await readCatalogue(dir, manifest);
  const fitted = await readFitted(dir);
  return {
    dir,
    users: users.slice(1),
    items: items.slice(1),
    behaviours: manifest.behaviours,
    features: {
      items: { ...fitted.items, table: itemFeatures },
      users: { ...fitted.users, table: userFeatures },
    },
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
