/**
 * safetensors (https://github.com/huggingface/safetensors#format): an 8-byte little-endian header length N, N bytes of
 * JSON `{name: {dtype, shape, data_offsets: [begin, end]}, __metadata__?: {string: string}}`, then the tensors' bytes,
 * little-endian and row-major, without holes. The header is padded with spaces so that the data begin at a multiple of 8.
 */
import { z } from 'zod';
import { RecsysError } from '../errors.js';
import type { StoredMap, StoredTensor, TensorMap } from '../types.js';
import { fromFloat16 } from './float16.js';

/** The reference implementation's limit. */
export const MAX_HEADER_BYTES = 100_000_000;

const BYTES = { F32: 4, I32: 4, F16: 2, I8: 1, U8: 1 } as const;
type Dtype = StoredTensor['dtype'];

/** Other types of the format: well-formed, but nothing here computes with them. */
const FOREIGN = /^(BOOL|I16|U16|U32|BF16|I64|U64|F64|F8_E4M3|F8_E5M2|F8_E8M0|F4|F6_E2M3|F6_E3M2|C64)$/;

/** Where a tensor lies: `begin` and `end` count from the first byte after the header. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(z.int().nonnegative()),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});
const metadataSchema = z.record(z.string(), z.string());

function isDtype(dtype: string): dtype is Dtype {
  return Object.hasOwn(BYTES, dtype);
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** `F32 [3, 64]`, as messages show a tensor. */
export function describeTensor(tensor: {
  readonly dtype: string;
  readonly shape: readonly number[];
}): string {
  return `${tensor.dtype} [${tensor.shape.join(', ')}]`;
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The tensors in file order (wider types first, so that each is aligned; then by name) and the bytes before them. */
export function layoutSafetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): { prefix: Uint8Array; order: { entry: TensorEntry; bytes: Uint8Array }[] } {
  const names = [...tensors.keys()].sort(
    (a, b) => BYTES[tensors.get(b)!.dtype] - BYTES[tensors.get(a)!.dtype] || compareNames(a, b),
  );
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) header.push(['__metadata__', metadata]);
  const order: { entry: TensorEntry; bytes: Uint8Array }[] = [];
  let begin = 0;
  for (const name of names) {
    const { dtype, shape, data } = tensors.get(name)!;
    if (name === '__metadata__') throw new Error('a tensor cannot be named __metadata__');
    if (elements(shape) !== data.length) {
      throw new Error(`tensor "${name}": shape [${shape.join(', ')}] does not hold ${data.length} values`);
    }
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const end = begin + bytes.byteLength;
    order.push({ entry: { name, dtype, shape, begin, end }, bytes });
    header.push([name, { dtype, shape, data_offsets: [begin, end] }]);
    begin = end;
  }
  // Object.fromEntries would put integer-like names first; the text is assembled in file order instead.
  const json = `{${header.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
  const text = new TextEncoder().encode(json);
  const length = Math.ceil(text.byteLength / 8) * 8;
  const prefix = new Uint8Array(8 + length).fill(0x20);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(length), true);
  prefix.set(text, 8);
  return { prefix, order };
}

/** Size of the file that `encodeSafetensors` makes. */
export function encodedBytes(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): number {
  const { prefix, order } = layoutSafetensors(tensors, metadata);
  return prefix.byteLength + (order.at(-1)?.entry.end ?? 0);
}

/** A safetensors file in memory. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const { prefix, order } = layoutSafetensors(tensors, metadata);
  const file = new Uint8Array(prefix.byteLength + (order.at(-1)?.entry.end ?? 0));
  file.set(prefix);
  for (const { entry, bytes } of order) file.set(bytes, prefix.byteLength + entry.begin);
  return file;
}

function damaged(where: string, what: string): RecsysError {
  return new RecsysError('CHECKPOINT_DAMAGED', `${where}: ${what}`);
}

/**
 * Length of the JSON header, from the file's first 8 bytes.
 * @param size bytes of the whole file
 */
export function headerLength(start: Uint8Array, size: number, where: string): number {
  if (start.byteLength < 8) throw damaged(where, `${size} bytes are too few for a safetensors file`);
  const length = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw damaged(where, `the header would be ${length} bytes long; this is no safetensors file`);
  }
  if (Number(length) + 8 > size)
    throw damaged(where, `cut off inside the header (${size} bytes, the header needs ${length})`);
  return Number(length);
}

function parseJson(header: Uint8Array, where: string): Record<string, unknown> {
  if (header[0] !== 0x7b) throw damaged(where, 'the header does not begin with "{"');
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(header));
  } catch (error) {
    throw damaged(
      where,
      `the header is not JSON in UTF-8 (${error instanceof Error ? error.message : String(error)})`,
    );
  }
  return value as Record<string, unknown>;
}

/**
 * The tensors a header names, in file order, after checking that they fill `dataBytes` exactly.
 * @throws CHECKPOINT_DAMAGED naming the tensor · CHECKPOINT_INCOMPATIBLE for a type that is not F32, I32 or U8
 */
export function parseHeader(
  header: Uint8Array,
  dataBytes: number,
  where: string,
): { entries: TensorEntry[]; metadata: Record<string, string> } {
  const { __metadata__: rawMetadata, ...rest } = parseJson(header, where);
  const metadata = metadataSchema.safeParse(rawMetadata ?? {});
  if (!metadata.success) throw damaged(where, '__metadata__ is not a map of strings');
  const entries = Object.entries(rest).map(([name, value]): TensorEntry => {
    const parsed = entrySchema.safeParse(value);
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      throw damaged(where, `tensor "${name}": ${issue.path.join('.')}: ${issue.message}`);
    }
    const { dtype, shape } = parsed.data;
    const [begin, end] = parsed.data.data_offsets;
    if (FOREIGN.test(dtype)) throw unexpected(where, name, dtype);
    if (!isDtype(dtype)) throw damaged(where, `tensor "${name}": unknown dtype "${dtype}"`);
    const needed = elements(shape) * BYTES[dtype];
    if (end < begin) throw damaged(where, `tensor "${name}": ends at byte ${end}, before its begin ${begin}`);
    if (end - begin !== needed) {
      throw damaged(
        where,
        `tensor "${name}": ${dtype} [${shape.join(', ')}] needs ${needed} bytes, its offsets span ${end - begin}`,
      );
    }
    return { name, dtype, shape, begin, end };
  });
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let next = 0;
  for (const { name, begin, end } of entries) {
    if (begin > next) throw damaged(where, `${begin - next} bytes before tensor "${name}" belong to none`);
    if (begin < next) throw damaged(where, `tensor "${name}" overlaps the one before it`);
    next = end;
  }
  if (next > dataBytes)
    throw damaged(where, `cut off: ${dataBytes} bytes of tensors, the header needs ${next}`);
  if (next < dataBytes) throw damaged(where, `${dataBytes - next} bytes after the last tensor`);
  return { entries, metadata: metadata.data };
}

/** An array of its own (aligned, nothing shared) from a tensor's little-endian bytes. */
export function tensorOf({ dtype, shape }: TensorEntry, bytes: Uint8Array): StoredTensor {
  const buffer = new ArrayBuffer(bytes.byteLength);
  new Uint8Array(buffer).set(bytes);
  switch (dtype) {
    case 'F32':
      return { dtype, shape, data: new Float32Array(buffer) };
    case 'I32':
      return { dtype, shape, data: new Int32Array(buffer) };
    case 'F16':
      return { dtype, shape, data: new Uint16Array(buffer) };
    case 'I8':
      return { dtype, shape, data: new Int8Array(buffer) };
    case 'U8':
      return { dtype, shape, data: new Uint8Array(buffer) };
  }
}

/**
 * The tensors of a safetensors file, every part of it checked; packed ones (F16, I8) are not expected.
 * @param where names the file in messages
 * @throws CHECKPOINT_DAMAGED · CHECKPOINT_INCOMPATIBLE
 */
export function decodeSafetensors(bytes: Uint8Array, where: string): TensorMap {
  const length = headerLength(bytes.subarray(0, 8), bytes.byteLength, where);
  const data = bytes.subarray(8 + length);
  const { entries } = parseHeader(bytes.subarray(8, 8 + length), data.byteLength, where);
  const tensors: StoredMap = new Map(
    entries.map((entry) => [entry.name, tensorOf(entry, data.subarray(entry.begin, entry.end))]),
  );
  return unpackedOnly(tensors, where);
}

/** The same tensors where none is packed; else CHECKPOINT_INCOMPATIBLE naming the first that is. */
export function unpackedOnly(tensors: StoredMap, where: string): TensorMap {
  for (const [name, { dtype }] of tensors) {
    if (dtype === 'F16' || dtype === 'I8') throw unexpected(where, name, dtype);
  }
  return tensors as TensorMap;
}

function unexpected(where: string, name: string, dtype: string): RecsysError {
  return new RecsysError(
    'CHECKPOINT_INCOMPATIBLE',
    `${where}: tensor "${name}": expected F32, I32 or U8, found ${dtype}`,
  );
}

/** The first NaN or infinity among the F32 and F16 tensors, if there is one. */
export function findNonFinite(
  tensors: ReadonlyMap<string, StoredTensor>,
): { name: string; index: number; value: number } | undefined {
  for (const [name, { dtype, data }] of tensors) {
    if (dtype !== 'F32' && dtype !== 'F16') continue;
    for (let index = 0; index < data.length; index++) {
      const value = dtype === 'F32' ? data[index]! : fromFloat16(data[index]!);
      if (!Number.isFinite(value)) return { name, index, value };
    }
  }
  return undefined;
}
