import type { BatchSource, RowBatches } from './batches.js';
import { type AnswerPlan, answersBeside } from './distill/beside.js';
import { type TaskPlan, taskBatches } from './meta/task-batches.js';
import { type NegativePlan, negativeOptions } from './negatives.js';
import { type Labelling, pairBatches, trainPairs } from './pair-batches.js';
import { withReplay } from './replay.js';
import { maskedBatches, sequenceBatches } from './sequence-batches.js';
import type { TrainRows } from './train-rows.js';

/** All that the batches of a training are made of, as plain data: a worker can be sent it. */
export interface BatchPlan {
  /** Every event after those before it; hidden events; single (user, history, item) examples; or users as tasks. */
  readonly kind: 'next-items' | 'hidden-items' | 'pairs' | 'tasks';
  readonly rows: TrainRows;
  readonly length: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly fixedShapes: boolean;
  readonly negatives: NegativePlan;
  /** Share of the events that is hidden. */
  readonly masking: number;
  /** How pairs are labelled, for the label task. */
  readonly labelling?: Labelling;
  /** A teacher's answers, which come with the batches. */
  readonly answers?: AnswerPlan | undefined;
  /** Train rows of the data of before, and the share of the batches that are made of them. */
  readonly replay?: { readonly rows: TrainRows; readonly share: number } | undefined;
  /** Which users are tasks, and how. */
  readonly tasks?: TaskPlan | undefined;
}

/** The batches of a plan. */
export function makeBatches(plan: BatchPlan): BatchSource {
  if (plan.tasks) {
    const negatives = negativeOptions(plan.negatives, plan.rows);
    return taskBatches(plan.rows, plan.tasks, { ...plan, negatives });
  }
  if (plan.replay) {
    const { rows, share } = plan.replay;
    const own = { ...plan, replay: undefined };
    return withReplay(makeBatches(own), makeBatches({ ...own, rows }), share, plan.seed);
  }
  const bare = batchesOf(plan);
  if (!plan.answers) return bare;
  const { beside, close } = answersBeside(plan.answers);
  return {
    batchesPerEpoch: bare.batchesPerEpoch,
    batch: (epoch, index) => bare.batch(epoch, index, beside),
    outline: (epoch, index) => bare.batch(epoch, index),
    close,
  };
}

function batchesOf(plan: BatchPlan): RowBatches {
  const { kind, rows, masking, labelling } = plan;
  const options = { ...plan, negatives: negativeOptions(plan.negatives, rows) };
  if (kind === 'next-items') return sequenceBatches(rows, options);
  if (kind === 'hidden-items') return maskedBatches(rows, options, masking);
  const { length, batchSize, seed, fixedShapes, negatives } = options;
  return pairBatches(rows, trainPairs(rows), {
    ...{ length, batchSize, seed, fixedShapes, negatives },
    ...(labelling ? { labelling } : {}),
    known: knownItems(rows),
  });
}

/** Whether a user has an item among the train rows; fast where users come one after the other. */
export function knownItems(rows: TrainRows): (user: number, item: number) => boolean {
  let of = 0;
  let items = new Set<number>();
  return (user, item) => {
    if (user !== of) {
      of = user;
      items = new Set(rows.item.subarray(rows.offsets[user], rows.offsets[user + 1]));
    }
    return items.has(item);
  };
}
