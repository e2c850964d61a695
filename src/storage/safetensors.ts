/**
 * safetensors (https://github.com/huggingface/safetensors#format): an 8-byte little-endian header length N, N bytes of
 * JSON `{name: {dtype, shape, data_offsets: [begin, end]}, __metadata__?: {string: string}}`, then the tensors' bytes,
 * little-endian and row-major, without holes. The header is padded with spaces so that the data begin at a multiple of 8.
 */
import { z } from 'zod';
import { RecsysError } from '../errors.js';
import type { HostTensor, TensorMap, TypedArray } from '../types.js';

/** The reference implementation's limit. */
export const MAX_HEADER_BYTES = 100_000_000;

const BYTES = { F32: 4, I32: 4, U8: 1 } as const;
type Dtype = HostTensor['dtype'];

/** Other types of the format: well-formed, but nothing here computes with them. */
const FOREIGN = /^(BOOL|I8|I16|U16|U32|F16|BF16|I64|U64|F64|F8_E4M3|F8_E5M2|F8_E8M0|F4|F6_E2M3|F6_E3M2|C64)$/;

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
  tensors: TensorMap,
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

/** A safetensors file in memory. */
export function encodeSafetensors(
  tensors: TensorMap,
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
    if (FOREIGN.test(dtype)) {
      throw new RecsysError(
        'CHECKPOINT_INCOMPATIBLE',
        `${where}: tensor "${name}": expected F32, I32 or U8, found ${dtype}`,
      );
    }
    if (dtype !== 'F32' && dtype !== 'I32' && dtype !== 'U8')
      throw damaged(where, `tensor "${name}": unknown dtype "${dtype}"`);
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
export function tensorOf(entry: TensorEntry, bytes: Uint8Array): HostTensor {
  const buffer = new ArrayBuffer(bytes.byteLength);
  new Uint8Array(buffer).set(bytes);
  const data: TypedArray =
    entry.dtype === 'F32'
      ? new Float32Array(buffer)
      : entry.dtype === 'I32'
        ? new Int32Array(buffer)
        : new Uint8Array(buffer);
  return { dtype: entry.dtype, shape: entry.shape, data };
}

/**
 * The tensors of a safetensors file, every part of it checked.
 * @param where names the file in messages
 * @throws CHECKPOINT_DAMAGED · CHECKPOINT_INCOMPATIBLE
 */
export function decodeSafetensors(bytes: Uint8Array, where: string): TensorMap {
  const length = headerLength(bytes.subarray(0, 8), bytes.byteLength, where);
  const data = bytes.subarray(8 + length);
  const { entries } = parseHeader(bytes.subarray(8, 8 + length), data.byteLength, where);
  return new Map(
    entries.map((entry) => [entry.name, tensorOf(entry, data.subarray(entry.begin, entry.end))]),
  );
}

/** The first NaN or infinity among the F32 tensors, if there is one. */
export function findNonFinite(
  tensors: TensorMap,
): { name: string; index: number; value: number } | undefined {
  for (const [name, { dtype, data }] of tensors) {
    if (dtype !== 'F32') continue;
    for (let index = 0; index < data.length; index++) {
      if (!Number.isFinite(data[index]!)) return { name, index, value: data[index]! };
    }
  }
  return undefined;
}
