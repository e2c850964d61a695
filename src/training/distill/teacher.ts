import { setImmediate } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs-core';
import { compileFunction } from '../../compute/compile.js';
import { INFERENCE } from '../../compute/dropout.js';
import { logSumExp } from '../../compute/ops/log-sum-exp.js';
import { ParameterStore } from '../../compute/parameters.js';
import type { Batch, Inputs } from '../../compute/step.js';
import { RecsysError } from '../../errors.js';
import type { RestoredModel } from '../../model/restore.js';
import { atPositions } from '../../model/select.js';
import { countWeights } from '../../model/weights.js';
import { Random } from '../../random.js';
import type { PutRecord } from '../../storage/record-file.js';
import type { HostTensor, StageContext } from '../../types.js';
import { askedFor } from '../asked.js';
import { encodeAt } from '../objective.js';
import type { TrainRows } from '../train-rows.js';
import { answerOf } from './answer.js';
import { type Asked, layOut, type Stretch, stretchesOf } from './contexts.js';
import { encodeRecord, type RecordLayout } from './record.js';

/** What a teacher is asked. */
export interface Question {
  readonly rows: TrainRows;
  readonly layout: RecordLayout;
  /** Divides the logits. */
  readonly temperature: number;
  /** The teacher's layer that is kept, or −1. */
  readonly layer: number;
  readonly seed: number;
}

/** So many probabilities are asked for at once; those of one stretch in any case. */
const LARGEST = 8_000_000;

/**
 * Asks a teacher about every train row that is a target, once, and hands each answer on as a record under its row's number.
 * Users and behaviours that the teacher never saw count as unknown to it.
 */
export async function askTeacher(
  restored: RestoredModel,
  question: Question,
  put: PutRecord,
  context: StageContext,
): Promise<void> {
  const { model, catalogue } = restored;
  const { rows, layout, seed } = question;
  const columns = catalogue.items.length;
  const stretches = byLength(stretchesOf(rows, model.length, model.positional));
  const perStretch = model.positional ? model.length : 1;
  const size = Math.max(1, Math.min(128, Math.floor(LARGEST / columns / perStretch)));
  const store = new ParameterStore(restored.inits, model.constants());
  const compiled = compileFunction(
    (inputs) => answers(restored, store, question, inputs),
    countWeights(restored.inits),
  );
  try {
    for (let from = 0; from < stretches.length; from += size) {
      if (context.signal.aborted)
        throw new RecsysError('INTERRUPTED', 'distill was interrupted while the teacher was asked');
      const asked = layOut(rows, stretches.slice(from, from + size), size, model.length);
      const outputs = await compiled.run(batchOf(asked, rows, restored));
      const probabilities = outputs.get('probabilities')!;
      const layers = outputs.get('layer');
      for (const [n, row] of asked.rows.entries()) {
        const rng = Random.of(seed, 'tail', row);
        const answer = answerOf(layout, probabilities, n * columns, columns, rng);
        const layer = layers?.subarray(n * layout.layer, (n + 1) * layout.layer);
        put(row, encodeRecord(layout, { ...answer, ...(layer ? { layer } : {}) }));
      }
      context.progress({
        task: 'asking the teacher',
        done: Math.min(from + size, stretches.length),
        total: stretches.length,
      });
      // An interruption is heard between batches.
      await setImmediate();
    }
  } finally {
    compiled.dispose();
    store.dispose();
  }
}

/** Stretches of like length together, so that little is padding. */
function byLength(stretches: Stretch[]): Stretch[] {
  return stretches.sort((a, b) => b.end - b.from - (a.end - a.from));
}

function batchOf(
  { inputs, rows: targets }: Asked,
  rows: TrainRows,
  { model, catalogue }: RestoredModel,
): Batch {
  const { users, behaviours, times, ...rest } = inputs;
  const [size, steps] = behaviours!.shape as [number, number];
  const of = Array.from(targets, (row) => rows.behaviour[row]!);
  const { asked } = askedFor(inputs.positions!.data, of, [size, steps], 0, new Random(0));
  return {
    ...rest,
    users: known(users!, catalogue.users.length),
    behaviours: known(behaviours!, catalogue.behaviours.length + 1),
    ...(times && model.readsTimes ? { times } : {}),
    ...(model.readsAsked ? { asked: known(asked!, catalogue.behaviours.length + 1) } : {}),
  };
}

/** Indices that the teacher has no row for become 0: the student's vocabulary may have grown beyond it. */
const known = (ids: HostTensor, rows: number): HostTensor => ({
  ...ids,
  data: ids.data.map((id) => (id < rows ? id : 0)),
});

function answers(
  { model }: RestoredModel,
  store: ParameterStore,
  { temperature, layer, layout }: Question,
  inputs: Inputs,
): Record<string, tf.Tensor> {
  const params = store.reader();
  const { encoded, states, length } = encodeAt(model, params, inputs, INFERENCE);
  const logits = tf.div(model.logits(params, states, 'all', INFERENCE), temperature) as tf.Tensor2D;
  // By hand: of its own softmax in a graph of constants TensorFlow says on stderr that it cannot tell the cost.
  const probabilities = tf.exp(tf.sub(logits, tf.expandDims(logSumExp(logits), 1)));
  if (layout.layer === 0) return { probabilities };
  return { probabilities, layer: atPositions(encoded.layers[layer]!, inputs.positions!, length) };
}
