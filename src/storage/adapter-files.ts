import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { RecsysError } from '../errors.js';
import type { TensorMap } from '../types.js';
import type { Checkpoint } from './checkpoint.js';
import { kindOf } from './disk.js';
import { decodeSafetensors, encodeSafetensors } from './safetensors.js';

/** Folder of an adapter inside the checkpoint that it was trained into. */
const FOLDER = 'adapter';
const SETTINGS = 'adapter.json';
const TENSORS = 'adapter.safetensors';

const settingsSchema = z.object({
  kind: z.literal('adapter'),
  formatVersion: z.literal(1),
  /** SHA-256 of the manifest of the checkpoint that it adds to. */
  base: z.string(),
  basePath: z.string(),
  parameters: z.number(),
  adapter: z.unknown(),
});

/** An adapter as it is stored: what it adds, and how it is added. */
export interface StoredAdapter {
  readonly config: unknown;
  readonly tensors: TensorMap;
}

/** The files of an adapter, by their path inside the checkpoint directory. */
export function adapterFiles({ config, tensors }: StoredAdapter, base: Checkpoint): Map<string, Uint8Array> {
  const settings: z.input<typeof settingsSchema> = {
    kind: 'adapter',
    formatVersion: 1,
    base: base.manifestSha256,
    basePath: base.path,
    parameters: [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0),
    adapter: config,
  };
  return new Map([
    [`${FOLDER}/${SETTINGS}`, new TextEncoder().encode(`${JSON.stringify(settings, null, 2)}\n`)],
    [`${FOLDER}/${TENSORS}`, encodeSafetensors(tensors, { format: 'recsys adapter' })],
  ]);
}

/**
 * Reads an adapter, from its folder or from the checkpoint around it.
 * @throws CHECKPOINT_INCOMPATIBLE where it was trained on another checkpoint than `base`, CHECKPOINT_DAMAGED where it cannot be read
 */
export async function readAdapter(
  path: string,
  base: Checkpoint,
): Promise<StoredAdapter & { readonly path: string }> {
  const inside = join(path, FOLDER);
  const folder = (await kindOf(inside)) === 'directory' ? inside : path;
  if ((await kindOf(join(folder, SETTINGS))) !== 'file')
    throw new RecsysError('CHECKPOINT_INCOMPATIBLE', `${path} holds no adapter`, {
      remedy: 'Give a checkpoint that `recsys finetune` wrote with `adapter`, or the adapter folder in it.',
    });
  const read = settingsSchema.safeParse(await parsed(join(folder, SETTINGS)));
  if (!read.success)
    throw new RecsysError('CHECKPOINT_DAMAGED', `${join(folder, SETTINGS)} does not describe an adapter`);
  const { base: expected, basePath, adapter } = read.data;
  if (expected !== base.manifestSha256)
    throw new RecsysError(
      'CHECKPOINT_INCOMPATIBLE',
      `${path} is an adapter of ${basePath} (${expected.slice(0, 12)}), not of ${base.path} (${base.manifestSha256.slice(0, 12)})`,
      { remedy: 'Serve the checkpoint that it was trained on, or train the adapter again on this one.' },
    );
  const file = join(folder, TENSORS);
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new RecsysError('CHECKPOINT_DAMAGED', `${file} cannot be read`, { cause });
  });
  return { path: folder, config: adapter, tensors: decodeSafetensors(bytes, file) };
}

async function parsed(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}
