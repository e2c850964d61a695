import { Random } from '../../random.js';
import { type BatchSource, f32, i32 } from '../batches.js';
import { historyTensors } from '../histories.js';
import { drawNegatives, type NegativeOptions } from '../negatives.js';
import type { TrainRows } from '../train-rows.js';
import type { TasksConfig } from './schema.js';

/** Which users are tasks, and how their events are divided: plain data, which a worker can be sent. */
export interface TaskPlan extends Pick<TasksConfig, 'query' | 'order'> {
  readonly after?: number | undefined;
  readonly support?: readonly number[] | undefined;
  readonly users: Int32Array;
}

export interface TaskBatchOptions {
  readonly length: number;
  /** Tasks a batch. */
  readonly batchSize: number;
  readonly seed: number;
  readonly negatives: NegativeOptions;
}

/**
 * Batches of tasks: every user once an epoch, their events divided anew each time. A task is a history (its support) and, as
 * `positions`, its query events: `targets` [B × Q], with their values as `labels`. Tasks that are wanting in the last batch weigh 0.
 */
export function taskBatches(rows: TrainRows, plan: TaskPlan, options: TaskBatchOptions): BatchSource {
  const { batchSize, seed } = options;
  let cached: { epoch: number; order: Int32Array } | undefined;
  return {
    batchesPerEpoch: Math.ceil(plan.users.length / batchSize),
    batch(epoch, index) {
      if (cached?.epoch !== epoch)
        cached = { epoch, order: Random.of(seed, 'order', epoch).shuffle(Int32Array.from(plan.users)) };
      const users = cached.order.subarray(index * batchSize, (index + 1) * batchSize);
      const rng = Random.of(seed, 'tasks', epoch, index);
      const tasks = Array.from(users, (user) => divide(rows, user, plan, options.length, rng));
      return assemble(rows, tasks, plan.query, options, rng);
    },
  };
}

interface Divided {
  readonly user: number;
  readonly support: Int32Array;
  readonly query: Int32Array;
}

/** Divides a user's train rows: query rows, and before or beside them the support, in order of time. */
function divide(rows: TrainRows, user: number, plan: TaskPlan, length: number, rng: Random): Divided {
  const from = rows.offsets[user]!;
  const own = Int32Array.from({ length: rows.offsets[user + 1]! - from }, (_, i) => from + i);
  const { after } = plan;
  const most = Math.min(length, after ?? own.length - plan.query);
  const wanted = plan.support ? plan.support[rng.int(plan.support.length)]! : most;
  const size = Math.min(most, wanted);
  if (after !== undefined) {
    const query = rng.shuffle(own.slice(after)).slice(0, plan.query);
    return { user, support: own.slice(0, size), query };
  }
  if (plan.order === 'random') {
    rng.shuffle(own);
    const support = own.slice(plan.query, plan.query + size).sort();
    return { user, support, query: own.slice(0, plan.query) };
  }
  const start = rng.int(own.length - plan.query - size + 1);
  const end = start + size;
  return { user, support: own.slice(start, end), query: own.slice(end, end + plan.query) };
}

function assemble(
  rows: TrainRows,
  tasks: readonly Divided[],
  query: number,
  { length: steps, batchSize: size, negatives }: TaskBatchOptions,
  rng: Random,
) {
  const supports = gathered(
    rows,
    tasks.flatMap(({ support }) => Array.from(support)),
  );
  let end = 0;
  const histories = tasks.map(({ user, support }) => {
    const start = end;
    end += support.length;
    return { user, start, end };
  });
  const targets = new Int32Array(size * query);
  const labels = new Float32Array(size * query);
  const weights = new Float32Array(size * query);
  tasks.forEach(({ query: asked }, task) => {
    asked.forEach((r, q) => {
      targets[task * query + q] = rows.item[r]!;
      labels[task * query + q] = rows.value[r]!;
      weights[task * query + q] = rows.weight[r]!;
    });
  });
  const positions = Int32Array.from(
    { length: size * query },
    (_, p) => (Math.floor(p / query) + 1) * steps - 1,
  );
  return {
    ...historyTensors(supports, histories, size, steps),
    positions: i32(positions, [size * query]),
    targets: i32(targets, [size * query]),
    labels: f32(labels, [size * query]),
    weights: f32(weights, [size * query]),
    ...drawNegatives(targets, negatives, rng),
  };
}

/** These rows one after the other, with what is read of histories. */
function gathered({ item, behaviour, value, time, center }: TrainRows, chosen: readonly number[]) {
  return {
    item: Int32Array.from(chosen, (r) => item[r]!),
    behaviour: Int32Array.from(chosen, (r) => behaviour[r]!),
    value: Float32Array.from(chosen, (r) => value[r]!),
    ...(time ? { time: Float64Array.from(chosen, (r) => time[r]!) } : {}),
    ...(center === undefined ? {} : { center }),
  };
}
