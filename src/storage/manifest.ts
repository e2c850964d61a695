import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { RecsysError } from '../errors.js';
import { kindOf, systemCode } from './disk.js';
import { sha256 } from './hash.js';

/** Newest version of the checkpoint directory's format (docs/checkpoint.md); 2: weights may be quantized. */
export const CHECKPOINT_FORMAT = 2;

/** Keys of `files` are paths inside the directory, never outside it. */
const insidePath = z
  .string()
  .refine((name) => !/^([/\\]|[a-zA-Z]:)|(^|[/\\])\.\.([/\\]|$)/.test(name), 'leads out of the directory');
export const fileRecordsSchema = z.record(insidePath, z.object({ bytes: z.number(), sha256: z.string() }));

const datasetReference = z.object({
  path: z.string(),
  name: z.string().optional(),
  fingerprint: z.string(),
  testSetHash: z.string(),
});

/** An ancestor. `path` is where it was found when the child was trained; `manifestSha256` says which one it was. */
export const lineageEntrySchema = z.object({
  stage: z.string(),
  path: z.string(),
  manifestSha256: z.string(),
  model: z.string().optional(),
  parameters: z.number().optional(),
  dataset: datasetReference.optional(),
});
export type LineageEntry = z.infer<typeof lineageEntrySchema>;

/** Where a model was trained: a run repeats bit for bit where these are equal. */
export const computeSchema = z.object({
  backend: z.string(),
  device: z.string(),
  /** Of tfjs and libtensorflow, and whether fused operations were used. */
  version: z.string().optional(),
  threads: z.number(),
  machine: z.string(),
});

/** `manifest.json` of a checkpoint directory. */
export const checkpointManifestSchema = z.object({
  kind: z.literal('checkpoint'),
  formatVersion: z.number().int(),
  createdAt: z.string(),
  /** The stage that wrote it: pretrain, distill, finetune, compress, serve-online. */
  stage: z.string(),
  model: z.object({
    name: z.string(),
    config: z.record(z.string(), z.unknown()),
    parameters: z.number(),
    /** Bytes of model.safetensors. */
    bytes: z.number(),
    /** How the weights are stored, where not as float32. */
    quantization: z.enum(['float16', 'int8']).optional(),
  }),
  seed: z.number(),
  metrics: z.record(z.string(), z.number()),
  dataset: datasetReference,
  /** Ancestors, oldest first. */
  lineage: z.array(lineageEntrySchema),
  versions: z.object({
    recsys: z.string(),
    node: z.string(),
    tfjs: z.string(),
    libtensorflow: z.string().optional(),
  }),
  compute: computeSchema,
  files: fileRecordsSchema,
});
export type CheckpointManifest = z.infer<typeof checkpointManifestSchema>;

/** `manifest.json` of any directory recsys wrote, as far as all of them agree. */
export interface AnyManifest {
  readonly kind: string;
  readonly value: Record<string, unknown>;
  readonly sha256: string;
}

/** The manifest of a directory, or undefined where it has none (or one that names no kind). */
export async function peekManifest(dir: string): Promise<AnyManifest | undefined> {
  const path = join(dir, 'manifest.json');
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error))) return undefined;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new RecsysError('CHECKPOINT_DAMAGED', `${path} is not JSON (${why})`);
  }
  const parsed = z.looseObject({ kind: z.string() }).safeParse(value);
  if (!parsed.success)
    throw new RecsysError('CHECKPOINT_DAMAGED', `${path} does not say what kind of directory this is`);
  return { kind: parsed.data.kind, value: parsed.data, sha256: sha256(bytes) };
}

/**
 * The checked manifest of a checkpoint, with the SHA-256 of its file (which is the checkpoint's identity).
 * @throws FILE_MISSING · CHECKPOINT_DAMAGED · CHECKPOINT_INCOMPATIBLE for another kind of directory or a newer format
 */
export async function readManifest(dir: string): Promise<{ manifest: CheckpointManifest; sha256: string }> {
  const found = await peekManifest(dir);
  if (found === undefined) throw await noManifest(dir);
  if (found.kind !== 'checkpoint') {
    const article = /^[aeiou]/.test(found.kind) ? 'an' : 'a';
    throw new RecsysError(
      'CHECKPOINT_INCOMPATIBLE',
      `${dir}: expected a checkpoint, found ${article} ${found.kind} directory`,
    );
  }
  const version = found.value.formatVersion;
  if (typeof version === 'number' && version > CHECKPOINT_FORMAT) {
    const writer = z.object({ versions: z.object({ recsys: z.string() }) }).safeParse(found.value);
    const by = writer.success ? `, written by recsys ${writer.data.versions.recsys}` : '';
    throw new RecsysError(
      'CHECKPOINT_INCOMPATIBLE',
      `${dir}: checkpoint format ${version}${by}; this recsys reads formats up to ${CHECKPOINT_FORMAT}`,
      { remedy: 'Use a recsys at least as new as the one that wrote the checkpoint.' },
    );
  }
  const parsed = checkpointManifestSchema.safeParse(found.value);
  if (!parsed.success) {
    const issues = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new RecsysError('CHECKPOINT_DAMAGED', `${join(dir, 'manifest.json')}: ${issues.join('; ')}`);
  }
  return { manifest: parsed.data, sha256: found.sha256 };
}

async function noManifest(dir: string): Promise<RecsysError> {
  const kind = await kindOf(dir);
  if (kind === 'file')
    return new RecsysError(
      'CHECKPOINT_INCOMPATIBLE',
      `${dir}: expected a checkpoint directory, found a file`,
    );
  if (kind === 'directory') {
    const within = await checkpointsIn(dir);
    if (within.length > 0)
      return new RecsysError(
        'CHECKPOINT_INCOMPATIBLE',
        `${dir} is no checkpoint, but a folder of some: ${within.join(', ')}`,
        { remedy: `Name one of them, such as ${join(dir, within[0]!)}.` },
      );
    return new RecsysError('CHECKPOINT_DAMAGED', `${dir} is no checkpoint: manifest.json is missing`);
  }
  if ((await kindOf(`${dir}.partial`)) === 'directory') {
    return new RecsysError(
      'FILE_MISSING',
      `${dir} does not exist yet: ${dir}.partial holds an unfinished run`,
      {
        remedy: 'Finish it with --resume.',
      },
    );
  }
  return new RecsysError('FILE_MISSING', `${dir}: no such directory`);
}

/** Names of the checkpoints that a folder, such as that of a pipeline, holds. */
async function checkpointsIn(dir: string): Promise<string[]> {
  const names = (await readdir(dir).catch(() => [])).sort();
  const kinds = await Promise.all(
    names.map((name) => readFile(join(dir, name, 'manifest.json'), 'utf8').catch(() => '')),
  );
  return names.filter((_, i) => /"kind":\s*"checkpoint"/.test(kinds[i]!.slice(0, 1000)));
}
