import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { BackendInfo } from '../compute/backend.js';
import { writeVocabularies } from '../storage/catalogue.js';
import { type Checkpoint, lineageOf, recordFiles } from '../storage/checkpoint.js';
import { fileRecordsSchema, lineageEntrySchema } from '../storage/manifest.js';
import { machine, versions } from '../storage/versions.js';
import type { Parity } from './parity.js';
import { EXPORT_FORMATS, type ExportConfig } from './schema.js';

/** Version of an export directory's format (docs/export.md). */
export const EXPORT_FORMAT = 1;

/** `manifest.json` of an export directory. */
export const exportManifestSchema = z.object({
  kind: z.literal('export'),
  formatVersion: z.number().int(),
  createdAt: z.string(),
  format: z.enum(EXPORT_FORMATS),
  model: z.object({ name: z.string(), config: z.record(z.string(), z.unknown()), parameters: z.number() }),
  seed: z.number(),
  /** Ancestors, oldest first; the last one is the checkpoint that was exported. */
  lineage: z.array(lineageEntrySchema),
  parity: z.object({
    runtime: z.string(),
    requests: z.number(),
    tolerance: z.number(),
    differences: z.record(z.string(), z.number()),
  }),
  versions: z.record(z.string(), z.string()),
  compute: z.record(z.string(), z.unknown()),
  files: fileRecordsSchema,
});
export type ExportManifest = z.infer<typeof exportManifestSchema>;

export interface ExportContent {
  readonly config: ExportConfig;
  readonly checkpoint: Checkpoint;
  readonly backend: BackendInfo;
  readonly signature: Readonly<Record<string, unknown>>;
  readonly example: Readonly<Record<string, unknown>>;
  readonly parity: Parity;
}

/** Writes what stands beside the model in an export directory: signature, example, vocabularies, and the manifest of all. */
export async function writeExport(dir: string, content: ExportContent): Promise<ExportManifest> {
  const { config, checkpoint, backend, parity } = content;
  const json = (name: string, value: unknown) =>
    writeFile(join(dir, name), `${JSON.stringify(value, null, 2)}\n`);
  await json('signature.json', content.signature);
  await json('example.json', content.example);
  await writeVocabularies(dir, checkpoint.catalogue);
  const { name, config: model, parameters } = checkpoint.manifest.model;
  const { version, device, threads } = backend;
  const manifest: ExportManifest = {
    kind: 'export',
    formatVersion: EXPORT_FORMAT,
    createdAt: new Date().toISOString(),
    format: config.format,
    model: { name, config: model, parameters },
    seed: config.seed,
    lineage: lineageOf(checkpoint),
    parity,
    versions: versions(),
    compute: { backend: backend.name, device, version, threads, machine: machine() },
    files: await recordFiles(dir),
  };
  await json('manifest.json', manifest);
  return manifest;
}
