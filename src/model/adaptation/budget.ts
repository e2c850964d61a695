import { z } from 'zod';
import { RecsysError } from '../../errors.js';
import { Random } from '../../random.js';
import type { Query, StageContext } from '../../types.js';
import { createModel, type ModelConfig } from '../registry.js';
import type { RestoredModel } from '../restore.js';
import { modelAdapter } from '../user-states.js';
import { adaptationTimes } from './adaptation-times.js';
import { MOST_STEPS } from './inner-loop.js';

/** What adapting to one user may cost. */
export const budgetSchema = z
  .strictObject({
    steps: z
      .number()
      .int()
      .min(0)
      .max(MOST_STEPS)
      .optional()
      .describe('gradient steps, in place of the checkpoint’s own'),
    milliseconds: z
      .number()
      .positive()
      .optional()
      .describe(
        'as many gradient steps, up to `steps`, as 99 of 100 users of the longest history take within this time; measured when the model is loaded',
      ),
  })
  .prefault({})
  .describe('what adapting to one user may cost');
export type Budget = z.output<typeof budgetSchema>;

/** Users that a number of steps is timed on. */
const TIMED = 200;

/**
 * A model that keeps a budget: with fewer (or more) gradient steps where it takes some, else as it is. Which steps fit a time depends on the
 * machine, so with `milliseconds` the states may differ from one to another; the number of steps is logged.
 *
 * @throws CONFIG_INVALID for `steps` of a model that takes none
 */
export async function withinBudget(
  restored: RestoredModel,
  { steps, milliseconds }: Budget,
  context: Pick<StageContext, 'log'>,
): Promise<RestoredModel> {
  const own = stepsOf(restored.config);
  if (steps !== undefined && own === undefined)
    throw new RecsysError(
      'CONFIG_INVALID',
      `budget.steps: the model "${restored.config.name}" adapts without gradient steps; leave it out`,
    );
  const most = steps ?? own ?? 0;
  if (milliseconds === undefined) return own === undefined ? restored : withSteps(restored, most);
  let slowest = 0;
  for (let n = most; n >= 0; n--) {
    const tried = own === undefined ? restored : withSteps(restored, n);
    slowest = await p99(tried);
    if (slowest > milliseconds) continue;
    const kept = own === undefined ? '' : `with ${n} of ${most} gradient steps `;
    context.log('info', `adapting to a user ${kept}takes ${slowest.toFixed(2)} ms (99 of 100 times at most)`);
    return tried;
  }
  const fewest = own === undefined ? restored : withSteps(restored, 0);
  context.log(
    'warn',
    `budget.milliseconds: adapting to a user takes ${slowest.toFixed(2)} ms${own === undefined ? '' : ' even without a gradient step'}, more than ${milliseconds}`,
  );
  return fewest;
}

function stepsOf(config: ModelConfig): number | undefined {
  return 'steps' in config ? config.steps : undefined;
}

function withSteps(restored: RestoredModel, steps: number): RestoredModel {
  if (stepsOf(restored.config) === steps) return restored;
  const config = { ...restored.config, steps } as ModelConfig;
  return { ...restored, config, model: createModel(config, restored.catalogue) };
}

/** Milliseconds to adapt to a user whose history is as long as the model reads. */
async function p99(restored: RestoredModel): Promise<number> {
  const { model, catalogue } = restored;
  const rng = Random.of(0, 'budget');
  const queries = Array.from({ length: TIMED }, (): Query => {
    const { length } = model;
    return {
      user: 0,
      items: Int32Array.from({ length }, () => 1 + rng.int(catalogue.items.length - 1)),
      behaviours: new Uint8Array(length),
      times: Float64Array.from({ length }, (_, t) => t * 60_000),
      values: new Float32Array(length),
    };
  });
  const adapter = modelAdapter(restored);
  try {
    return (await adaptationTimes(adapter, queries)).p99;
  } finally {
    adapter.dispose();
  }
}
