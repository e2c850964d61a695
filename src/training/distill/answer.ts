import { topK } from '../../compute/topk.js';
import type { Random } from '../../random.js';
import type { Answer, RecordLayout } from './record.js';

/**
 * What is kept of one row of probabilities [V + 1] (column 0 is padding): the K largest, and T of the others, drawn with
 * their own probabilities by one systematic sample, so that each stands for a T-th of what the others have together.
 * The row is used up: what is kept is set to 0 in it.
 */
export function answerOf(
  { top, tail }: RecordLayout,
  probabilities: Float32Array,
  offset: number,
  columns: number,
  rng: Random,
): Answer {
  const ids = new Int32Array(top + tail);
  const kept = new Float32Array(top + tail);
  const best = topK(probabilities, offset, columns, top);
  best.items.forEach((item, k) => {
    ids[k] = item;
    kept[k] = best.scores[k]!;
    probabilities[offset + item] = 0;
  });
  if (tail === 0) return { ids, probabilities: kept };
  let mass = 0;
  for (let j = 1; j < columns; j++) mass += probabilities[offset + j]!;
  const spacing = mass / tail;
  let next = rng.uniform() * spacing;
  let sum = 0;
  let drawn = 0;
  for (let j = 1; j < columns && drawn < tail; j++) {
    sum += probabilities[offset + j]!;
    while (sum > next && drawn < tail) {
      ids[top + drawn] = j;
      kept[top + drawn++] = probabilities[offset + j]!;
      next += spacing;
    }
  }
  return { ids, probabilities: kept };
}
