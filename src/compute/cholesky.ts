/**
 * Inverse of a symmetric positive definite matrix in Float64, cache-blocked, on one core.
 *
 * A = L Lᵀ (left-looking Cholesky), U = L⁻ᵀ (forward substitution), A⁻¹ = U Uᵀ. All three are written so that every inner
 * product runs along two rows, hence one kernel serves them; together n³/2 multiply-adds.
 */

/** Rows and columns of a block: 64 rows × 256 columns of Float64 (128 KiB) stay in the second-level cache. */
const BLOCK = 64;
const DEPTH = 256;

/** A square matrix padded to whole blocks; the odd row length keeps rows from falling on the same cache sets. */
export interface BlockMatrix {
  readonly size: number;
  readonly padded: number;
  readonly stride: number;
  readonly data: Float64Array;
}

export function blockMatrix(size: number): BlockMatrix {
  const padded = Math.ceil(size / BLOCK) * BLOCK;
  const stride = padded + 8;
  return { size, padded, stride, data: new Float64Array(padded * stride) };
}

/**
 * Replaces the symmetric positive definite `a` (its lower triangle is read) by its inverse, both triangles.
 * Needs one more matrix of the same size meanwhile.
 *
 * @param step called after each block of the 3 × blocks, with done and total; may yield and may throw to stop
 * @throws Error where a pivot is not positive: `a` is not positive definite
 */
export async function invertPositiveDefinite(
  a: BlockMatrix,
  step: (done: number, total: number) => Promise<void> | void = () => {},
): Promise<void> {
  const { size, padded, stride, data } = a;
  for (let i = size; i < padded; i++) data[i * stride + i] = 1;
  const blocks = padded / BLOCK;
  const total = 3 * blocks;
  let done = 0;
  for (let j = 0; j < padded; j += BLOCK) {
    addProducts(data, data, data, stride, j, padded, j, 0, j, -1);
    factorBlock(data, stride, j);
    solveBelow(data, stride, j, padded);
    await step(++done, total);
  }
  const u = new Float64Array(data.length);
  for (let j = 0; j < padded; j += BLOCK) {
    for (let c = 0; c < j; c += BLOCK) addProducts(u, u, data, stride, c, c + BLOCK, j, c, j, -1);
    for (let c = j; c < j + BLOCK; c++) u[c * stride + c] = 1;
    solveAgainst(u, data, stride, j);
    await step(++done, total);
  }
  data.fill(0);
  for (let i = 0; i < padded; i += BLOCK) {
    addProducts(data, u, u, stride, 0, i + BLOCK, i, i, padded, 1);
    await step(++done, total);
  }
  for (let i = 0; i < padded; i++)
    for (let j = i + 1; j < padded; j++) data[j * stride + i] = data[i * stride + j]!;
}

/** C[i, j] += sign · Σ_k A[i, k] B[j, k] for i in [i0, i1), j in [j0, j0 + BLOCK), k in [k0, k1); all bounds whole tiles of 4. */
function addProducts(
  c: Float64Array,
  a: Float64Array,
  b: Float64Array,
  stride: number,
  i0: number,
  i1: number,
  j0: number,
  k0: number,
  k1: number,
  sign: 1 | -1,
): void {
  for (let k = k0; k < k1; k += DEPTH) {
    const depth = Math.min(DEPTH, k1 - k);
    for (let block = i0; block < i1; block += BLOCK) {
      for (let j = j0; j < j0 + BLOCK; j += 4) {
        for (let i = block; i < block + BLOCK; i += 4) tile(c, a, b, stride, i, j, k, depth, sign);
      }
    }
  }
}

/** One 4 × 4 tile: sixteen sums in registers, eight loads for sixteen multiply-adds. */
function tile(
  c: Float64Array,
  a: Float64Array,
  b: Float64Array,
  stride: number,
  i: number,
  j: number,
  k: number,
  depth: number,
  sign: number,
): void {
  let a0 = i * stride + k;
  let b0 = j * stride + k;
  const s2 = 2 * stride;
  const s3 = 3 * stride;
  let c00 = 0,
    c01 = 0,
    c02 = 0,
    c03 = 0;
  let c10 = 0,
    c11 = 0,
    c12 = 0,
    c13 = 0;
  let c20 = 0,
    c21 = 0,
    c22 = 0,
    c23 = 0;
  let c30 = 0,
    c31 = 0,
    c32 = 0,
    c33 = 0;
  for (const end = a0 + depth; a0 < end; a0++, b0++) {
    const x0 = a[a0]!,
      x1 = a[a0 + stride]!,
      x2 = a[a0 + s2]!,
      x3 = a[a0 + s3]!;
    const y0 = b[b0]!,
      y1 = b[b0 + stride]!,
      y2 = b[b0 + s2]!,
      y3 = b[b0 + s3]!;
    c00 += x0 * y0;
    c01 += x0 * y1;
    c02 += x0 * y2;
    c03 += x0 * y3;
    c10 += x1 * y0;
    c11 += x1 * y1;
    c12 += x1 * y2;
    c13 += x1 * y3;
    c20 += x2 * y0;
    c21 += x2 * y1;
    c22 += x2 * y2;
    c23 += x2 * y3;
    c30 += x3 * y0;
    c31 += x3 * y1;
    c32 += x3 * y2;
    c33 += x3 * y3;
  }
  let at = i * stride + j;
  c[at]! += sign * c00;
  c[at + 1]! += sign * c01;
  c[at + 2]! += sign * c02;
  c[at + 3]! += sign * c03;
  at += stride;
  c[at]! += sign * c10;
  c[at + 1]! += sign * c11;
  c[at + 2]! += sign * c12;
  c[at + 3]! += sign * c13;
  at += stride;
  c[at]! += sign * c20;
  c[at + 1]! += sign * c21;
  c[at + 2]! += sign * c22;
  c[at + 3]! += sign * c23;
  at += stride;
  c[at]! += sign * c30;
  c[at + 1]! += sign * c31;
  c[at + 2]! += sign * c32;
  c[at + 3]! += sign * c33;
}

/** Cholesky of the diagonal block at j, its lower triangle in place. */
function factorBlock(data: Float64Array, stride: number, j: number): void {
  for (let i = j; i < j + BLOCK; i++) {
    for (let c = j; c <= i; c++) {
      let sum = data[i * stride + c]!;
      for (let k = j; k < c; k++) sum -= data[i * stride + k]! * data[c * stride + k]!;
      if (c < i) data[i * stride + c] = sum / data[c * stride + c]!;
      else if (sum > 0) data[i * stride + i] = Math.sqrt(sum);
      else throw new Error(`matrix is not positive definite: pivot ${i} is ${sum}`);
    }
  }
}

/** Rows below the diagonal block at j: X Lᵀ = A, in place. */
function solveBelow(data: Float64Array, stride: number, j: number, rows: number): void {
  for (let i = j + BLOCK; i < rows; i++) {
    for (let c = j; c < j + BLOCK; c++) {
      let sum = data[i * stride + c]!;
      for (let k = j; k < c; k++) sum -= data[i * stride + k]! * data[c * stride + k]!;
      data[i * stride + c] = sum / data[c * stride + c]!;
    }
  }
}

/** Columns [j, j + BLOCK) of U = L⁻ᵀ, of which the products with earlier columns are already subtracted. */
function solveAgainst(u: Float64Array, l: Float64Array, stride: number, j: number): void {
  for (let c = 0; c < j + BLOCK; c++) {
    for (let i = Math.max(c, j); i < j + BLOCK; i++) {
      let sum = u[c * stride + i]!;
      for (let k = Math.max(c, j); k < i; k++) sum -= u[c * stride + k]! * l[i * stride + k]!;
      u[c * stride + i] = sum / l[i * stride + i]!;
    }
  }
}
