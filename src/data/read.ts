import { join } from 'node:path';
import { RecsysError } from '../errors.js';
import type { Dataset, Interactions } from './dataset.js';
import type { DatasetManifest } from './manifest.js';
import { FILES } from './paths.js';
import { readCatalogue } from './read-catalogue.js';
import { readManifest, verify } from './read-manifest.js';
import { scan } from './scan.js';

/** Reads a dataset directory into memory, every file checked against the manifest. Errors: FILE_MISSING, DATASET_DAMAGED naming the file. */
export async function readDataset(dir: string): Promise<Dataset> {
  const manifest = await readManifest(dir);
  await verify(dir, manifest);
  const catalogue = await readCatalogue(dir, manifest);
  const interactions = await readInteractions(dir, manifest);
  return { path: dir, manifest, catalogue, interactions };
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
  await scan(
    path,
    `SELECT user_index, item_index, ${time}, behaviour_index, value, split FROM $`,
    (cells) => {
      if (at >= length)
        throw new RecsysError('DATASET_DAMAGED', `${path} has more rows than the manifest says (${length})`);
      rows.user[at] = Number(cells(0));
      rows.item[at] = Number(cells(1));
      rows.time[at] = Number(cells(2));
      rows.behaviour[at] = Number(cells(3));
      const value = cells(4);
      rows.value[at] = value === null ? Number.NaN : Number(value);
      rows.split[at] = Number(cells(5));
      at++;
    },
  );
  if (at !== length) throw new RecsysError('DATASET_DAMAGED', `${path} has ${at} rows instead of ${length}`);
  for (let r = 0; r < length; r++) {
    const u = rows.user[r]! + 1;
    rows.offsets[u] = rows.offsets[u]! + 1;
  }
  for (let u = 1; u < rows.offsets.length; u++) rows.offsets[u] = rows.offsets[u]! + rows.offsets[u - 1]!;
  return rows;
}
