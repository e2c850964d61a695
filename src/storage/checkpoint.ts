/** The checkpoint directory: see docs/checkpoint.md. */
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parse as parseYaml, stringify as stringifyYaml } from 'yaml';
import type { z } from 'zod';
import { RecsysError } from '../errors.js';
import type { Catalogue, HostTensor, StoredMap, TensorMap } from '../types.js';
import { writeFileAtomic } from './atomic.js';
import {
  catalogueOf,
  featureNames,
  featureNamesSchema,
  featureTensors,
  readChecked,
  readLines,
  type VOCABULARIES,
  writeVocabularies,
} from './catalogue.js';
import { diskError, listFiles } from './disk.js';
import { sha256File } from './hash.js';
import {
  CHECKPOINT_FORMAT,
  type CheckpointManifest,
  checkpointManifestSchema,
  type LineageEntry,
  readManifest,
} from './manifest.js';
import { countParameters, quantizationOf } from './quantization.js';
import { describeTensor, findNonFinite, unpackedOnly } from './safetensors.js';
import { parseProgress, type Snapshot, stringifyProgress } from './snapshot.js';
import { type FileRecord, readStoredFile, readTensorFile, writeTensorFile } from './tensor-file.js';
import { versions } from './versions.js';

export {
  CHECKPOINT_FORMAT,
  type CheckpointManifest,
  checkpointManifestSchema,
  type LineageEntry,
  readManifest,
};

/** What a stage says about its checkpoint; the rest of the manifest is filled in here. */
export type ManifestFields = Pick<
  CheckpointManifest,
  'stage' | 'seed' | 'metrics' | 'dataset' | 'lineage' | 'compute'
> & {
  readonly model: Pick<CheckpointManifest['model'], 'name' | 'config'>;
  readonly libtensorflow?: string;
};

export interface CheckpointContent {
  readonly manifest: ManifestFields;
  /** The resolved config, written as config.yaml. */
  readonly config: unknown;
  /** The weights, packed or not. */
  readonly tensors: StoredMap;
  readonly catalogue: Catalogue;
  /** Sorted 64-bit hashes of the events trained on, ancestors' included (the guard against leaks). */
  readonly trainedEvents?: BigUint64Array;
  /** To continue training bit-equal: optimizer state, progress, and the last weights where the best ones are kept. */
  readonly last?: Snapshot;
  /** Further files by path inside the directory. */
  readonly extra?: ReadonlyMap<string, Uint8Array>;
}

/** A checkpoint in memory. */
export interface Checkpoint {
  readonly path: string;
  readonly manifest: CheckpointManifest;
  /** SHA-256 of manifest.json: the checkpoint's identity. */
  readonly manifestSha256: string;
  readonly config: unknown;
  /** The weights as they are stored: what is quantized stays so until a model is restored. */
  readonly tensors: StoredMap;
  readonly catalogue: Catalogue;
  readonly trainedEvents: BigUint64Array;
}

/** What names a checkpoint in answers and files: the first digits of its manifest's hash. */
export const versionOf = ({ manifestSha256 }: Pick<Checkpoint, 'manifestSha256'>): string =>
  manifestSha256.slice(0, 12);

/** Plain scalars that YAML 1.1 readers (PyYAML) would take for something else, such as `yes`, are quoted. */
const YAML = { compat: 'yaml-1.1' } as const;

async function recordOf(path: string): Promise<FileRecord> {
  return { bytes: (await stat(path)).size, sha256: await sha256File(path) };
}

/** Files whose checksums a manifest holds: all but itself and the snapshots of work in progress. */
export async function recordFiles(
  dir: string,
  known: Readonly<Record<string, FileRecord>> = {},
): Promise<Record<string, FileRecord>> {
  const files: Record<string, FileRecord> = {};
  for (const name of await listFiles(dir)) {
    if (name === 'manifest.json' || /^snapshot\.|\.tmp$/.test(name)) continue;
    files[name] = known[name] ?? (await recordOf(join(dir, name)));
  }
  return files;
}

async function writeManifest(dir: string, manifest: CheckpointManifest): Promise<void> {
  await writeFileAtomic(join(dir, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

/**
 * Writes a checkpoint into an existing directory (a partial one). Files already there (metrics, TensorBoard events) are
 * recorded too; whatever is added afterwards needs `sealCheckpoint`. Metrics that are not finite are left out.
 * @throws DIVERGED when a weight is NaN or infinite · DISK
 */
export async function writeCheckpoint(dir: string, content: CheckpointContent): Promise<CheckpointManifest> {
  const { manifest: fields, catalogue, tensors, last } = content;
  const bad = findNonFinite(tensors);
  if (bad !== undefined)
    throw new RecsysError('DIVERGED', `tensor "${bad.name}" holds ${bad.value} at position ${bad.index}`);
  try {
    const model = await writeTensorFile(join(dir, 'model.safetensors'), tensors, {
      format: 'recsys',
      model: fields.model.name,
    });
    await writeFile(join(dir, 'config.yaml'), stringifyYaml(content.config, YAML));
    await writeVocabularies(dir, catalogue);
    await writeTensorFile(join(dir, 'features.safetensors'), featureTensors(catalogue));
    await writeFile(join(dir, 'features.json'), `${JSON.stringify(featureNames(catalogue))}\n`);
    const events = content.trainedEvents ?? new BigUint64Array(0);
    await writeFile(
      join(dir, 'trained_events.bin'),
      new Uint8Array(events.buffer, events.byteOffset, events.byteLength),
    );
    if (last !== undefined) {
      await writeTensorFile(join(dir, 'optimizer.safetensors'), last.optimizer);
      if (last.tensors !== tensors) await writeTensorFile(join(dir, 'last.safetensors'), last.tensors);
      await writeFile(join(dir, 'progress.json'), stringifyProgress(last.progress));
    }
    for (const [name, bytes] of content.extra ?? []) {
      await mkdir(dirname(join(dir, name)), { recursive: true });
      await writeFile(join(dir, name), bytes);
    }
    const parameters = countParameters(tensors);
    const quantization = quantizationOf(tensors);
    const { libtensorflow, ...rest } = fields;
    const manifest: CheckpointManifest = {
      kind: 'checkpoint',
      // The oldest version that says it, so that older readers go on reading what they can.
      formatVersion: quantization === 'none' ? 1 : CHECKPOINT_FORMAT,
      createdAt: new Date().toISOString(),
      ...rest,
      model: {
        ...fields.model,
        parameters,
        bytes: model.bytes,
        ...(quantization === 'none' ? {} : { quantization }),
      },
      metrics: Object.fromEntries(
        Object.entries(fields.metrics).filter(([, value]) => Number.isFinite(value)),
      ),
      versions: { ...versions(), ...(libtensorflow === undefined ? {} : { libtensorflow }) },
      files: await recordFiles(dir, { 'model.safetensors': model }),
    };
    await writeManifest(dir, manifest);
    return manifest;
  } catch (error) {
    throw diskError(error, dir);
  }
}

/** Records files added to a checkpoint after `writeCheckpoint` (its report, say) in the manifest. */
export async function sealCheckpoint(dir: string): Promise<CheckpointManifest> {
  const { manifest } = await readManifest(dir);
  const sealed = { ...manifest, files: await recordFiles(dir, manifest.files) };
  await writeManifest(dir, sealed);
  return sealed;
}

function recordFor(checkpoint: { path: string; manifest: CheckpointManifest }, name: string): FileRecord {
  const record = checkpoint.manifest.files[name];
  if (record === undefined) {
    throw new RecsysError(
      'CHECKPOINT_DAMAGED',
      `${join(checkpoint.path, 'manifest.json')} does not list ${name}`,
    );
  }
  return record;
}

/**
 * Reads a checkpoint and verifies the checksum of every file it reads. Reports and metrics may be deleted without harm
 * (`recsys inspect` verifies those too).
 * @throws FILE_MISSING · CHECKPOINT_DAMAGED naming the file · CHECKPOINT_INCOMPATIBLE for a newer format or another kind
 */
export async function readCheckpoint(dir: string): Promise<Checkpoint> {
  const path = resolve(dir);
  const { manifest, sha256: manifestSha256 } = await readManifest(path);
  const checked = (name: string) => readChecked(join(path, name), recordFor({ path, manifest }, name));
  const text = async (name: string) => new TextDecoder().decode(await checked(name));
  const lines = (name: (typeof VOCABULARIES)[number]) =>
    readLines(
      join(path, 'vocabulary', `${name}.jsonl`),
      recordFor({ path, manifest }, `vocabulary/${name}.jsonl`),
    );
  const tensorFile = (name: string) => readTensorFile(join(path, name), recordFor({ path, manifest }, name));

  const config: unknown = parseYaml(await text('config.yaml'));
  const tensors = await readStoredFile(
    join(path, 'model.safetensors'),
    recordFor({ path, manifest }, 'model.safetensors'),
  );
  const bad = findNonFinite(tensors);
  if (bad !== undefined) {
    throw new RecsysError(
      'CHECKPOINT_DAMAGED',
      `${join(path, 'model.safetensors')}: tensor "${bad.name}" holds ${bad.value} at position ${bad.index}`,
    );
  }
  const vocabularies = {
    users: await lines('users'),
    items: await lines('items'),
    behaviours: await lines('behaviours'),
    titles: await lines('titles'),
  };
  const names = parseFeatureNames(await text('features.json'), join(path, 'features.json'));
  const catalogue = catalogueOf(vocabularies, names, await tensorFile('features.safetensors'), path);
  const events = await checked('trained_events.bin');
  if (events.byteLength % 8 !== 0) {
    throw new RecsysError(
      'CHECKPOINT_DAMAGED',
      `${join(path, 'trained_events.bin')}: ${events.byteLength} bytes are no 64-bit hashes`,
    );
  }
  const trainedEvents = new BigUint64Array(
    events.buffer.slice(events.byteOffset, events.byteOffset + events.byteLength) as ArrayBuffer,
  );
  return { path, manifest, manifestSha256, config, tensors, catalogue, trainedEvents };
}

function parseFeatureNames(text: string, where: string): z.infer<typeof featureNamesSchema> {
  try {
    return featureNamesSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new RecsysError('CHECKPOINT_DAMAGED', `${where} does not hold the attributes' names`, {
      cause: error,
    });
  }
}

/**
 * The state to continue a finished checkpoint's training from, or undefined where it was not kept.
 * @throws CHECKPOINT_DAMAGED naming the file
 */
export async function readLast(checkpoint: Checkpoint): Promise<Snapshot | undefined> {
  const { path, manifest } = checkpoint;
  if (manifest.files['progress.json'] === undefined) return undefined;
  const file = (name: string) => readTensorFile(join(path, name), recordFor(checkpoint, name));
  const progress = await readChecked(join(path, 'progress.json'), recordFor(checkpoint, 'progress.json'));
  return {
    tensors:
      manifest.files['last.safetensors'] === undefined
        ? unpackedOnly(checkpoint.tensors, path)
        : await file('last.safetensors'),
    optimizer: await file('optimizer.safetensors'),
    progress: parseProgress(new TextDecoder().decode(progress)),
  };
}

/** One of the `extra` files, verified, or undefined where the checkpoint has none of that name. */
export async function readExtra(checkpoint: Checkpoint, name: string): Promise<Uint8Array | undefined> {
  const record = checkpoint.manifest.files[name];
  return record === undefined ? undefined : await readChecked(join(checkpoint.path, name), record);
}

/** The lineage of a checkpoint trained from `parent`: the parent's ancestors, then the parent. */
export function lineageOf(parent: Checkpoint): LineageEntry[] {
  const { stage, model, dataset, lineage } = parent.manifest;
  const { name, parameters } = model;
  return [
    ...lineage,
    { stage, path: parent.path, manifestSha256: parent.manifestSha256, model: name, parameters, dataset },
  ];
}

/**
 * Refuses a quantized checkpoint as the beginning of more training, in which its weights could not move by less than their steps.
 * @param what the flag or setting that names it
 */
export function requireFloat32({ path, manifest }: Checkpoint, what: string): void {
  const { quantization } = manifest.model;
  if (quantization === undefined) return;
  const parent = manifest.lineage.at(-1)?.path;
  const named = parent === undefined ? 'its float32 parent' : `its float32 parent, ${parent}`;
  throw new RecsysError('CHECKPOINT_INCOMPATIBLE', `${what}: ${path} holds ${quantization} weights`, {
    remedy: `Give ${named}, and quantize what comes of it (\`recsys compress\`).`,
  });
}

/** What a model's skeleton expects of a tensor. */
export type TensorSpec = Pick<HostTensor, 'shape' | 'dtype'>;

const SHOWN = 5;

/**
 * The tensors a model expects, every one checked by name, shape and dtype.
 * @param where names the file or checkpoint in messages
 * @throws CHECKPOINT_INCOMPATIBLE naming each tensor with what was expected and what was found
 */
export function restoreTensors(
  expected: ReadonlyMap<string, TensorSpec>,
  tensors: TensorMap,
  where: string,
): TensorMap {
  const problems: string[] = [];
  const restored: TensorMap = new Map();
  for (const [name, spec] of expected) {
    const tensor = tensors.get(name);
    if (tensor === undefined) problems.push(`tensor "${name}": expected ${describeTensor(spec)}, found none`);
    else if (describeTensor(spec) !== describeTensor(tensor)) {
      problems.push(`tensor "${name}": expected ${describeTensor(spec)}, found ${describeTensor(tensor)}`);
    } else restored.set(name, tensor);
  }
  for (const [name, tensor] of tensors) {
    if (!expected.has(name))
      problems.push(`tensor "${name}": expected none, found ${describeTensor(tensor)}`);
  }
  if (problems.length > 0) {
    const more = problems.length > SHOWN ? `\n  and ${problems.length - SHOWN} more` : '';
    const list = problems.slice(0, SHOWN).join('\n  ');
    throw new RecsysError('CHECKPOINT_INCOMPATIBLE', `${where} does not fit the model:\n  ${list}${more}`);
  }
  return restored;
}

/**
 * Compares every recorded file with its size and checksum.
 * @param onFile is told how many files are done after each; it may throw to stop
 * @returns one message per damaged file, empty when all is well
 */
export async function verifyFiles(
  dir: string,
  files: Readonly<Record<string, FileRecord>>,
  onFile: (done: number) => void = () => undefined,
): Promise<string[]> {
  const problems: string[] = [];
  for (const [index, [name, expected]] of Object.entries(files).entries()) {
    const found = await recordOf(join(dir, name)).catch(() => undefined);
    if (found === undefined) problems.push(`${name} is missing`);
    else if (found.bytes !== expected.bytes)
      problems.push(`${name} has ${found.bytes} bytes, its manifest records ${expected.bytes}`);
    else if (found.sha256 !== expected.sha256) problems.push(`${name} was altered (SHA-256 differs)`);
    onFile(index + 1);
  }
  return problems;
}
