import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { RecsysError } from '../errors.js';
import { sha256File } from '../storage/hash.js';
import { DATASET_FORMAT, type DatasetManifest, datasetManifestSchema } from './manifest.js';
import { FILES } from './paths.js';

/** Reads and checks `manifest.json`. Errors: FILE_MISSING where there is no dataset, DATASET_DAMAGED. */
export async function readManifest(dir: string): Promise<DatasetManifest> {
  const path = join(dir, FILES.manifest);
  const found = await stat(dir).catch(() => undefined);
  if (!found) throw new RecsysError('FILE_MISSING', `there is no dataset ${dir}`);
  if (!found.isDirectory())
    throw new RecsysError(
      'FILE_MISSING',
      `${dir} is a file; a dataset is a directory that \`recsys prepare\` wrote`,
    );
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
    throw new RecsysError(
      'DATASET_DAMAGED',
      `${dir} has dataset format ${version}; this recsys reads up to ${DATASET_FORMAT}`,
      {
        remedy: 'Update recsys, or run `recsys prepare` again with this version.',
      },
    );
  const parsed = datasetManifestSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new RecsysError('DATASET_DAMAGED', `${path}: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  return parsed.data;
}

/** Checks every file but rejected.csv against the manifest. Errors: DATASET_DAMAGED naming the file. */
export async function verify(dir: string, manifest: DatasetManifest): Promise<void> {
  for (const [name, { bytes, sha256 }] of Object.entries(manifest.files)) {
    if (name === FILES.rejected) continue;
    const path = join(dir, name);
    const found = await stat(path).catch(() => undefined);
    if (!found) throw new RecsysError('DATASET_DAMAGED', `${path} is missing`);
    if (found.size !== bytes)
      throw new RecsysError('DATASET_DAMAGED', `${path} has ${found.size} bytes instead of ${bytes}`);
    if ((await sha256File(path)) !== sha256)
      throw new RecsysError('DATASET_DAMAGED', `${path} is not what prepare wrote: its checksum differs`);
  }
}
