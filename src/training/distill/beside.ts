import { openRecords } from '../../storage/record-file.js';
import { type Beside, f32, i32 } from '../batches.js';
import { decodeRecord, type RecordLayout } from './record.js';

/** Where a teacher's answers lie, as plain data: a worker can be sent it. */
export interface AnswerPlan {
  readonly dir: string;
  readonly layout: RecordLayout;
}

/**
 * The teacher's answers at a batch's positions: `teacherIds` [P, K + T] and `teacherProbabilities` [P, K + T] of its top items and
 * of those drawn from the others, and `teacherLayer` [P, D] where one is kept. Padded positions have id 0 and probability 0.
 */
export function answersBeside({ dir, layout }: AnswerPlan): { beside: Beside; close(): void } {
  const reader = openRecords(dir, layout.bytes);
  const count = layout.top + layout.tail;
  const beside: Beside = (targets, padded) => {
    const ids = new Int32Array(padded * count);
    const probabilities = new Float32Array(padded * count);
    const layers = layout.layer > 0 ? new Float32Array(padded * layout.layer) : undefined;
    const into = { ids, probabilities, layers };
    // Targets of one user follow one another: each such run is read at once.
    for (let from = 0; from < targets.length; ) {
      let to = from + 1;
      while (to < targets.length && targets[to] === targets[to - 1]! + 1) to++;
      const bytes = reader.read(targets[from]!, to - from);
      for (let n = from; n < to; n++) decodeRecord(layout, bytes, (n - from) * layout.bytes, n, into);
      from = to;
    }
    return {
      teacherIds: i32(ids, [padded, count]),
      teacherProbabilities: f32(probabilities, [padded, count]),
      ...(layers ? { teacherLayer: f32(layers, [padded, layout.layer]) } : {}),
    };
  };
  return { beside, close: () => reader.close() };
}
