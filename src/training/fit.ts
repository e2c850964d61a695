import { setImmediate } from 'node:timers/promises';
import type { GroupRate } from '../compute/optimizers/optimizer.js';
import type { ParameterStore } from '../compute/parameters.js';
import type { Batch, CompiledStep } from '../compute/step.js';
import { RecsysError } from '../errors.js';
import type { StageContext, TensorMap } from '../types.js';
import type { BatchFeed } from './feed.js';
import { type FitProgress, freshProgress, joinBest, type Row, type Snapshot, splitBest } from './progress.js';

export interface FitOptions {
  readonly name: string;
  readonly step: CompiledStep;
  readonly store: ParameterStore;
  readonly batches: BatchFeed;
  readonly epochs: number;
  readonly accumulate: number;
  learningRate(step: number, totalSteps: number): number;
  /** Rates of the step's groups in an epoch, from 0; default: all learn alike. */
  groupRates?(epoch: number, stepsPerEpoch: number): readonly GroupRate[];
  /** Metrics after an epoch; `watch` names the one early stopping follows. */
  validate(): Promise<Record<string, number>>;
  readonly watch: Watch;
  readonly snapshots: { readonly everySteps: number; save(snapshot: Snapshot): Promise<void> };
  readonly resumeFrom?: Snapshot | undefined;
  onEpoch?(row: Row): void | Promise<void>;
}

/** What early stopping follows. */
export interface Watch {
  readonly metric: string;
  readonly every: number;
  readonly patience: number;
  /** Epochs in which nothing counts as being without improvement; default none. */
  readonly grace?: number;
}

export interface FitResult {
  /** Parameters of the best validation: their averages, where the step keeps some. */
  readonly best: TensorMap;
  readonly bestRow: Row;
  readonly history: readonly Row[];
  readonly last: Snapshot;
}

/**
 * The training loop: epochs of steps, validation, early stopping, snapshots. Everything random is keyed by epoch and step, so
 * continuing from a snapshot gives the same bits as never having stopped.
 *
 * @throws INTERRUPTED after saving a snapshot, once `context.signal` is aborted; DIVERGED when the loss or the gradient is not finite
 */
export async function fit(options: FitOptions, context: StageContext): Promise<FitResult> {
  const { step, store, batches, epochs, accumulate, watch } = options;
  const stepsPerEpoch = Math.ceil(batches.batchesPerEpoch / accumulate);
  const totalSteps = stepsPerEpoch * epochs;
  const better = lowerIsBetter(watch.metric)
    ? (a: number, b: number) => a < b
    : (a: number, b: number) => a > b;
  let progress: FitProgress = freshProgress();
  let best: TensorMap | undefined;
  if (options.resumeFrom) {
    const restored = splitBest(options.resumeFrom);
    progress = restored.progress;
    best = restored.best;
    store.load(restored.current);
    step.load(options.resumeFrom.optimizer);
    context.log('info', `resumed at epoch ${progress.epoch + 1}, step ${step.count}`);
  }
  const snapshot = async (): Promise<Snapshot> => ({
    tensors: joinBest(await store.export(), best),
    optimizer: await step.export(),
    progress: structuredClone(progress),
  });
  const stopIfAsked = async (): Promise<void> => {
    if (!context.signal.aborted) return;
    await options.snapshots.save(await snapshot());
    throw new RecsysError(
      'INTERRUPTED',
      `${options.name} was interrupted at epoch ${progress.epoch + 1}, step ${step.count}`,
    );
  };

  // Milliseconds in this process: of waiting for batches, and of steps.
  let waited = 0;
  let stepped = 0;
  while (progress.epoch < epochs && !progress.stopped) {
    while (progress.batch < batches.batchesPerEpoch) {
      await stopIfAsked();
      const asked = performance.now();
      const micro: Batch[] = [];
      const end = Math.min(progress.batch + accumulate, batches.batchesPerEpoch);
      for (let i = progress.batch; i < end; i++) micro.push(await batches.batch(progress.epoch, i));
      const given = performance.now();
      const rate = options.learningRate(step.count + 1, totalSteps);
      const rates = options.groupRates?.(progress.epoch, stepsPerEpoch);
      const { loss, gradientNorm } = await step.run(micro, rate, rates);
      waited += given - asked;
      stepped += performance.now() - given;
      if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
        const what = Number.isFinite(loss) ? `gradient's norm is ${gradientNorm}` : `loss is ${loss}`;
        throw new RecsysError(
          'DIVERGED',
          `${options.name}: the ${what} at step ${step.count} (learning rate ${rate})`,
        );
      }
      progress.batch += micro.length;
      progress.lossSum += loss;
      progress.lossCount++;
      context.progress({
        task: options.name,
        done: step.count,
        total: totalSteps,
        fields: { epoch: progress.epoch + 1, loss: progress.lossSum / progress.lossCount },
      });
      if (step.count % options.snapshots.everySteps === 0) await options.snapshots.save(await snapshot());
      await setImmediate();
    }
    const row: Row = {
      epoch: progress.epoch + 1,
      step: step.count,
      loss: progress.lossSum / Math.max(1, progress.lossCount),
      learningRate: options.learningRate(step.count, totalSteps),
    };
    const last = progress.epoch + 1 === epochs;
    if ((progress.epoch + 1) % watch.every === 0 || last) {
      // Judged and kept are the averages, where the step makes them; it goes on from the weights.
      await step.averaged(async () => {
        Object.assign(row, await options.validate());
        const value = row[watch.metric];
        if (value === undefined) {
          const known = Object.keys(row).join(', ');
          throw new RecsysError(
            'CONFIG_INVALID',
            `validation.metric: "${watch.metric}" is not computed here (there are ${known})`,
          );
        }
        const { bestValue } = progress;
        // Any number is better than NaN.
        const first = bestValue === null || (Number.isNaN(bestValue) && !Number.isNaN(value));
        if (first || better(value, bestValue)) {
          progress.bestValue = value;
          progress.bestEpoch = row.epoch;
          progress.stale = 0;
          best = await store.export();
        } else if (row.epoch > (watch.grace ?? 0)) {
          progress.stale++;
          progress.stopped = watch.patience > 0 && progress.stale >= watch.patience;
        }
      });
    }
    progress.history.push(row);
    progress.epoch++;
    progress.batch = 0;
    progress.lossSum = 0;
    progress.lossCount = 0;
    await options.onEpoch?.(row);
    if (progress.stopped)
      context.log('info', `stopped early: no better ${watch.metric} since epoch ${progress.bestEpoch}`);
  }
  if (stepped > 0) {
    const share = ((100 * waited) / (waited + stepped)).toFixed(1);
    context.log('info', `steps waited for their batches for ${share} % of the time`);
  }
  const bestRow = progress.history[progress.bestEpoch - 1];
  if (!best || !bestRow) throw new Error('no epoch was validated');
  return { best, bestRow, history: progress.history, last: await snapshot() };
}

function lowerIsBetter(metric: string): boolean {
  return /^[^/]*(loss|rmse|mae)/.test(metric);
}
