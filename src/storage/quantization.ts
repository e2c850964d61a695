/** Weights in fewer bits: matrices as I8 with a scale for each row, or as F16; vectors and scalars stay F32. */
import { RecsysError } from '../errors.js';
import type { HostTensor, StoredMap, StoredTensor, TensorMap } from '../types.js';
import { FLOAT16_MAX, fromFloat16, toFloat16 } from './float16.js';
import { describeTensor } from './safetensors.js';

export const QUANTIZATIONS = ['none', 'float16', 'int8'] as const;
/** How weights are stored; none: as float32. */
export type Quantization = (typeof QUANTIZATIONS)[number];

/** Largest magnitude of a stored whole number; −128 is left out, so that the range is symmetric. */
const LEVELS = 127;
/** The smallest float32 above 0, and the largest scale whose 127-fold is still one. */
const SMALLEST = 2 ** -149;
const LARGEST_SCALE = previous(Math.fround(3.4028234663852886e38 / LEVELS));

/** Name of the tensor that holds the scales of an I8 tensor's rows. */
export const scaleName = (name: string): string => `${name}.scale`;

/** Whether a tensor can do with less (fewer bits, zeros): matrices can, while what has one number a row (biases, gains, norms) is small as it is. */
export function isMatrix({ shape }: Pick<HostTensor, 'shape'>): boolean {
  return shape.length > 1 && shape.at(-1)! > 1;
}

/**
 * Packs the weights of a model.
 * @throws CHECKPOINT_INCOMPATIBLE for a value beyond float16's largest, 65504
 */
export function pack(tensors: TensorMap, quantization: Quantization): StoredMap {
  const packed: StoredMap = new Map();
  for (const [name, tensor] of tensors) {
    if (quantization === 'none' || tensor.dtype !== 'F32' || !isMatrix(tensor)) packed.set(name, tensor);
    else if (quantization === 'float16') packed.set(name, toHalf(name, tensor));
    else {
      const { values, scales } = toInt8(tensor);
      if (tensors.has(scaleName(name)))
        throw new Error(`a model has both "${name}" and "${scaleName(name)}"`);
      packed.set(name, values).set(scaleName(name), scales);
    }
  }
  return packed;
}

/**
 * Weights as float32: `fround(q · scale)` of I8, the value itself of F16. Tensors that were not packed are handed through.
 * @throws CHECKPOINT_DAMAGED for I8 without fitting scales
 */
export function unpack(stored: StoredMap, where: string): TensorMap {
  const tensors: TensorMap = new Map();
  for (const [name, tensor] of stored) {
    if (isScale(name, stored)) continue;
    if (tensor.dtype === 'F16')
      tensors.set(name, float32(tensor, Float32Array.from(tensor.data, fromFloat16)));
    else if (tensor.dtype === 'I8')
      tensors.set(name, fromInt8(name, tensor, stored.get(scaleName(name)), where));
    else tensors.set(name, tensor);
  }
  return tensors;
}

/** How a model's tensors are stored. */
export function quantizationOf(stored: ReadonlyMap<string, StoredTensor>): Quantization {
  const dtypes = new Set([...stored.values()].map(({ dtype }) => dtype));
  return dtypes.has('I8') ? 'int8' : dtypes.has('F16') ? 'float16' : 'none';
}

/** Number of weights; scales are none. */
export function countParameters(stored: ReadonlyMap<string, StoredTensor>): number {
  return [...stored].reduce((sum, [name, { data }]) => sum + (isScale(name, stored) ? 0 : data.length), 0);
}

function isScale(name: string, stored: ReadonlyMap<string, StoredTensor>): boolean {
  return name.endsWith('.scale') && stored.get(name.slice(0, -'.scale'.length))?.dtype === 'I8';
}

function float32({ shape }: StoredTensor, data: Float32Array): HostTensor {
  return { dtype: 'F32', shape, data };
}

function toHalf(name: string, { shape, data }: HostTensor): StoredTensor {
  const bits = Uint16Array.from(data, toFloat16);
  const beyond = bits.findIndex((half) => (half & 0x7fff) >= 0x7c00);
  if (beyond >= 0) {
    throw new RecsysError(
      'CHECKPOINT_INCOMPATIBLE',
      `tensor "${name}" holds ${data[beyond]} at position ${beyond}, and float16 ends at ±${FLOAT16_MAX}`,
      { remedy: 'Use `quantize: int8`, which has no such limit.' },
    );
  }
  return { dtype: 'F16', shape, data: bits };
}

/** Symmetric, by rows: q = round(w / scale), scale = max|row| / 127. No value moves by more than half a scale; a row of zeros has scale 0. */
function toInt8(tensor: HostTensor): { values: StoredTensor; scales: HostTensor } {
  const { shape } = tensor;
  const weights = tensor.data as Float32Array;
  const width = shape.at(-1)!;
  const rows = weights.length / width;
  const data = new Int8Array(weights.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const at = row * width;
    const scale = scaleOf(weights.subarray(at, at + width));
    scales[row] = scale;
    if (scale > 0) for (let i = at; i < at + width; i++) data[i] = Math.round(weights[i]! / scale);
  }
  return {
    values: { dtype: 'I8', shape, data },
    scales: { dtype: 'F32', shape: [rows], data: scales },
  };
}

function scaleOf(row: Float32Array): number {
  let largest = 0;
  for (const weight of row) largest = Math.max(largest, Math.abs(weight));
  const scale = Math.min(Math.fround(largest / LEVELS), LARGEST_SCALE);
  // Among subnormal numbers a scale has few digits, and one rounded down would leave the largest weight out of reach.
  return largest > (LEVELS + 0.5) * scale ? scale + SMALLEST : scale;
}

function fromInt8(
  name: string,
  tensor: StoredTensor & { dtype: 'I8' },
  scales: StoredTensor | undefined,
  where: string,
): HostTensor {
  const { shape, data } = tensor;
  const width = shape.at(-1) ?? 1;
  const rows = width === 0 ? 0 : data.length / width;
  if (scales?.dtype !== 'F32' || scales.shape.join() !== String(rows)) {
    const found = scales ? describeTensor(scales) : 'none';
    throw damaged(where, `tensor "${scaleName(name)}": expected F32 [${rows}], found ${found}`);
  }
  const bad = scales.data.findIndex((scale) => !(scale >= 0 && scale <= LARGEST_SCALE));
  if (bad >= 0)
    throw damaged(where, `tensor "${scaleName(name)}": ${scales.data[bad]} at position ${bad} is no scale`);
  if (data.some((value) => value < -LEVELS)) throw damaged(where, `tensor "${name}": −128 is no level`);
  const weights = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) weights[i] = data[i]! * scales.data[Math.floor(i / width)]!;
  return float32(tensor, weights);
}

function damaged(where: string, what: string): RecsysError {
  return new RecsysError('CHECKPOINT_DAMAGED', `${where}: ${what}`);
}

/** The float32 below a positive one. */
function previous(value: number): number {
  const float = Float32Array.of(value);
  new Uint32Array(float.buffer)[0]! -= 1;
  return float[0]!;
}
