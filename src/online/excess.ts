/**
 * Derivatives [known, or as many as there are scores] of −log p(item) with respect to each item's score: p − 1(item), p the softmax of scores 1 to `known`.
 * A column of scores that no item stands for yet counts for nothing.
 */
export function excess(scores: Float32Array, item: number, known: number): Float64Array {
  const rows = Math.min(known, scores.length);
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 1; i < rows; i++) most = Math.max(most, scores[i]!);
  const into = new Float64Array(rows);
  let total = 0;
  for (let i = 1; i < rows; i++) {
    into[i] = Math.exp(scores[i]! - most);
    total += into[i]!;
  }
  for (let i = 1; i < rows; i++) into[i] = into[i]! / total;
  into[item] = into[item]! - 1;
  return into;
}
