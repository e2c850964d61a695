import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { RecsysError } from '../errors.js';
import type { StoredMap, StoredTensor, TensorMap } from '../types.js';
import { systemCode } from './disk.js';
import { headerLength, layoutSafetensors, parseHeader, tensorOf, unpackedOnly } from './safetensors.js';

/** Size and checksum of a file, as manifests record them. */
export interface FileRecord {
  readonly bytes: number;
  readonly sha256: string;
}

/** Bytes in one system call: Node refuses 2 GiB and more. */
const CHUNK = 1 << 26;

async function writeAll(handle: FileHandle, bytes: Uint8Array, hash: Hash): Promise<void> {
  for (let at = 0; at < bytes.byteLength; ) {
    const chunk = bytes.subarray(at, at + CHUNK);
    const { bytesWritten } = await handle.write(chunk);
    hash.update(chunk.subarray(0, bytesWritten));
    at += bytesWritten;
  }
}

async function readAll(handle: FileHandle, length: number, hash: Hash): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await handle.read(bytes, at, Math.min(CHUNK, length - at));
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  const read = bytes.subarray(0, at);
  hash.update(read);
  return read;
}

/** Writes a safetensors file tensor by tensor (no second copy in memory) and forces it to the disk. */
export async function writeTensorFile(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<FileRecord> {
  const { prefix, order } = layoutSafetensors(tensors, metadata);
  const hash = createHash('sha256');
  const handle = await open(path, 'w');
  try {
    await writeAll(handle, prefix, hash);
    for (const { bytes } of order) await writeAll(handle, bytes, hash);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { bytes: prefix.byteLength + (order.at(-1)?.entry.end ?? 0), sha256: hash.digest('hex') };
}

/** Reads a safetensors file in which no tensor is packed; one that is, is CHECKPOINT_INCOMPATIBLE. */
export async function readTensorFile(path: string, expected?: FileRecord): Promise<TensorMap> {
  return unpackedOnly(await readStoredFile(path, expected), path);
}

/**
 * Reads a safetensors file tensor by tensor, with its checksum on the way.
 * @throws CHECKPOINT_DAMAGED naming the file: missing, cut off, malformed, or not what `expected` records
 */
export async function readStoredFile(path: string, expected?: FileRecord): Promise<StoredMap> {
  let handle: FileHandle;
  try {
    handle = await open(path, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw new RecsysError('CHECKPOINT_DAMAGED', `${path} is missing`);
    throw error;
  }
  try {
    const { size } = await handle.stat();
    if (expected !== undefined && size !== expected.bytes) {
      throw new RecsysError(
        'CHECKPOINT_DAMAGED',
        `${path} has ${size} bytes, its manifest records ${expected.bytes}`,
      );
    }
    const hash = createHash('sha256');
    const start = await readAll(handle, Math.min(8, size), hash);
    const length = headerLength(start, size, path);
    const header = await readAll(handle, length, hash);
    const { entries } = parseHeader(header, size - 8 - length, path);
    const tensors: StoredMap = new Map();
    for (const entry of entries) {
      tensors.set(entry.name, tensorOf(entry, await readAll(handle, entry.end - entry.begin, hash)));
    }
    if (expected !== undefined && hash.digest('hex') !== expected.sha256) {
      throw new RecsysError(
        'CHECKPOINT_DAMAGED',
        `${path} was altered: its SHA-256 is not the one its manifest records`,
      );
    }
    return tensors;
  } finally {
    await handle.close();
  }
}
