import { RecsysError } from '../errors.js';

/** `\x93NUMPY`, version 1.0. */
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0];

/** A float32 array of NumPy (format 1.0: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), row-major. */
export function encodeNpy(shape: readonly number[], data: Float32Array): Uint8Array {
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${dims}), }`;
  // Magic, version and length take 10 bytes; the data begin at a multiple of 64.
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const file = new Uint8Array(10 + length + data.byteLength);
  file.set([...MAGIC, length & 255, length >> 8]);
  file.set(new TextEncoder().encode(`${text.padEnd(length - 1)}\n`), 10);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + length);
  return file;
}

/**
 * Reads what `encodeNpy` writes.
 * @throws DATA_UNREADABLE for any other array
 */
export function decodeNpy(file: Uint8Array, where: string): { shape: number[]; data: Float32Array } {
  const length = (file[8] ?? 0) + 256 * (file[9] ?? 0);
  const header = new TextDecoder('latin1').decode(file.subarray(10, 10 + length));
  const found = /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(([\d, ]*)\), \} *\n$/.exec(header);
  const shape = (found?.[1] ?? '')
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(Number);
  // A copy: the data must lie at a multiple of 4 in memory.
  const bytes = Uint8Array.from(file.subarray(10 + length));
  const magic = MAGIC.every((byte, i) => file[i] === byte);
  if (!magic || !found || bytes.byteLength !== 4 * shape.reduce((a, b) => a * b, 1))
    throw new RecsysError('DATA_UNREADABLE', `${where} is no row-major float32 array of NumPy`);
  return { shape, data: new Float32Array(bytes.buffer) };
}
