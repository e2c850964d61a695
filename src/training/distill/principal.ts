/** The main directions of vectors: an orthonormal basis [D, k], row-major, most variance first (principal components, uncentred). */
export interface Basis {
  readonly from: number;
  readonly to: number;
  readonly data: Float64Array;
}

/** Sweeps of Jacobi's method; a dozen is more than a symmetric matrix of some hundred rows needs. */
const SWEEPS = 30;

/**
 * Eigenvectors of a symmetric matrix by cyclic Jacobi rotations (Golub & Van Loan 2013, §8.5).
 * @param matrix [n, n], used up: its diagonal becomes the eigenvalues
 * @returns [n, n], one eigenvector a column
 */
export function eigenvectors(matrix: Float64Array, n: number): Float64Array {
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  const total = matrix.reduce((sum, x) => sum + x * x, 0);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off += matrix[p * n + q]! ** 2;
    if (off <= 1e-22 * total) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(matrix, vectors, n, p, q);
  }
  return vectors;
}

/** Turns the plane of p and q so that the matrix's entry (p, q) becomes 0. */
function rotate(a: Float64Array, vectors: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q]!;
  if (apq === 0) return;
  const theta = (a[q * n + q]! - a[p * n + p]!) / (2 * apq);
  const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  const turn = (data: Float64Array, i: number, j: number): void => {
    const x = data[i]!;
    const y = data[j]!;
    data[i] = c * x - s * y;
    data[j] = s * x + c * y;
  };
  for (let k = 0; k < n; k++) turn(a, k * n + p, k * n + q);
  for (let k = 0; k < n; k++) turn(a, p * n + k, q * n + k);
  for (let k = 0; k < n; k++) turn(vectors, k * n + p, k * n + q);
}

/** The `to` main directions of vectors [N, from]. */
export function mainDirections(vectors: Float32Array, from: number, to: number): Basis {
  const products = new Float64Array(from * from);
  for (let at = 0; at < vectors.length; at += from)
    for (let i = 0; i < from; i++) {
      const x = vectors[at + i]!;
      if (x !== 0) for (let j = i; j < from; j++) products[i * from + j]! += x * vectors[at + j]!;
    }
  for (let i = 0; i < from; i++) for (let j = 0; j < i; j++) products[i * from + j] = products[j * from + i]!;
  const all = eigenvectors(products, from);
  const order = Array.from({ length: from }, (_, i) => i).sort(
    (a, b) => products[b * from + b]! - products[a * from + a]!,
  );
  const data = new Float64Array(from * to);
  for (let k = 0; k < to; k++) for (let i = 0; i < from; i++) data[i * to + k] = all[i * from + order[k]!]!;
  return { from, to, data };
}

/** Vectors [N, from] in a basis' coordinates → [N, to]. */
export function project(vectors: Float32Array, { from, to, data }: Basis): Float32Array {
  const rows = vectors.length / from;
  const out = new Float32Array(rows * to);
  for (let r = 0; r < rows; r++)
    for (let k = 0; k < to; k++) {
      let sum = 0;
      for (let i = 0; i < from; i++) sum += vectors[r * from + i]! * data[i * to + k]!;
      out[r * to + k] = sum;
    }
  return out;
}
