import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { RecsysError } from '../errors.js';
import type { TensorMap } from '../types.js';
import { diskError, sync, systemCode } from './disk.js';
import { readTensorFile, writeTensorFile } from './tensor-file.js';

/** All a run needs to continue: weights, optimizer state, and where it stood (a JSON value; NaN and infinities allowed). */
export interface Snapshot {
  readonly tensors: TensorMap;
  readonly optimizer: TensorMap;
  readonly progress: unknown;
}

const NAME = /^snapshot\.(\d+)$/;

/** JSON has no NaN and no infinity, and a resumed run must find the very numbers it left (a best value of −∞, say). */
export function stringifyProgress(progress: unknown): string {
  return `${JSON.stringify(
    progress,
    (_key, value: unknown) =>
      typeof value === 'number' && !Number.isFinite(value) ? { $number: String(value) } : value,
    2,
  )}\n`;
}

/** Inverse of `stringifyProgress`. */
export function parseProgress(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || !('$number' in value)) return value;
    return Number(value.$number);
  });
}

async function names(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Numbers of the snapshots in a directory, newest first. */
async function snapshotNumbers(dir: string): Promise<number[]> {
  const found = (await names(dir)).map((name) => NAME.exec(name)?.[1]).filter((n) => n !== undefined);
  return found.map(Number).sort((a, b) => b - a);
}

/** Whether a partial directory holds something to continue from: a snapshot, or a stage's own `progress.json`. */
export async function isResumable(partial: string): Promise<boolean> {
  return (await names(partial)).some((name) => name === 'progress.json' || NAME.test(name));
}

/**
 * Saves a snapshot all or nothing: killed at any moment, the newest whole one is still there.
 * It is written to `snapshot.<n>.tmp/`, forced to the disk and renamed to `snapshot.<n>/`; then older ones go.
 * @throws DISK
 */
export async function saveSnapshot(partial: string, snapshot: Snapshot): Promise<void> {
  const older = await snapshotNumbers(partial);
  const path = join(partial, `snapshot.${(older[0] ?? 0) + 1}`);
  const temporary = `${path}.tmp`;
  try {
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary);
    await writeTensorFile(join(temporary, 'model.safetensors'), snapshot.tensors);
    await writeTensorFile(join(temporary, 'optimizer.safetensors'), snapshot.optimizer);
    await writeFile(join(temporary, 'progress.json'), stringifyProgress(snapshot.progress), { flush: true });
    await sync(temporary);
    await rename(temporary, path);
    await sync(partial);
    for (const n of older) await rm(join(partial, `snapshot.${n}`), { recursive: true, force: true });
  } catch (error) {
    throw diskError(error, path);
  }
}

/**
 * The newest whole snapshot of a directory, or undefined where there is none.
 * @throws CHECKPOINT_DAMAGED when there are snapshots and none of them is whole
 */
export async function readSnapshot(partial: string): Promise<Snapshot | undefined> {
  let firstError: unknown;
  for (const n of await snapshotNumbers(partial)) {
    const path = join(partial, `snapshot.${n}`);
    try {
      return {
        tensors: await readTensorFile(join(path, 'model.safetensors')),
        optimizer: await readTensorFile(join(path, 'optimizer.safetensors')),
        progress: await readProgress(join(path, 'progress.json')),
      };
    } catch (error) {
      if (!(error instanceof RecsysError)) throw error;
      firstError ??= error;
    }
  }
  if (firstError !== undefined) throw firstError;
  return undefined;
}

async function readProgress(path: string): Promise<unknown> {
  try {
    return parseProgress(await readFile(path, 'utf8'));
  } catch (error) {
    const what = systemCode(error) === 'ENOENT' ? 'is missing' : 'is not JSON';
    throw new RecsysError('CHECKPOINT_DAMAGED', `${path} ${what}`, { cause: error });
  }
}

/** Removes snapshots, once the finished checkpoint takes their place. */
export async function clearSnapshots(partial: string): Promise<void> {
  for (const name of await names(partial)) {
    if (/^snapshot\.\d+(\.tmp)?$/.test(name)) await rm(join(partial, name), { recursive: true, force: true });
  }
}
