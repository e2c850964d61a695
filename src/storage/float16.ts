/** IEEE 754 half floats as their bits: 1 sign, 5 exponent, 10 fraction. */

/** The largest finite half float. */
export const FLOAT16_MAX = 65504;

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/**
 * The half float nearest to a float32, ties to even. What lies beyond the largest by half a step or more becomes an infinity; below
 * 2⁻²⁴ steps of 2⁻²⁴ are left, and less than half of one is a zero of the same sign. NaN stays NaN.
 */
export function toFloat16(value: number): number {
  float[0] = value;
  const bits = word[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 127;
  const fraction = bits & 0x7fffff;
  if (exponent === 128) return sign | (fraction === 0 ? 0x7c00 : 0x7e00);
  if (exponent < -25) return sign;
  if (exponent > 15) return sign | 0x7c00;
  // A carry out of the fraction rightly raises the exponent, up to infinity.
  if (exponent >= -14) return sign | rounded(((exponent + 15) << 23) | fraction, 13);
  return sign | rounded(0x800000 | fraction, -1 - exponent);
}

/** A whole number without its lowest `places` bits, rounded to nearest, ties to even. */
function rounded(bits: number, places: number): number {
  const kept = bits >>> places;
  const rest = bits & ((1 << places) - 1);
  const half = 1 << (places - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}

/** The value of a half float; every one is a float32. */
export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
