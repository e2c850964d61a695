import { setImmediate } from 'node:timers/promises';
import type { z } from 'zod';
import type { ParameterInits } from '../../compute/parameters.js';
import type { Dataset } from '../../data/dataset.js';
import { RecsysError } from '../../errors.js';
import type { Model } from '../../model/model.js';
import { sparseLinear } from '../../model/models/sparse-linear.js';
import { directScorer } from '../../model/scorer.js';
import { Random } from '../../random.js';
import type { StageContext } from '../../types.js';
import { freshProgress, type Row } from '../progress.js';
import type { TargetsConfig, ValidationConfig } from '../schema.js';
import type { StageHooks, TrainedModel } from '../stage.js';
import { tensorsOf } from '../supervised.js';
import type { TrainRows } from '../train-rows.js';
import { rankingEvaluation } from '../validation.js';
import { addItemAttributes, foldItemAttributes } from './attributes.js';
import { largest } from './cut.js';
import { type Inputs, inputsOf } from './inputs.js';
import { type Moments, moments } from './moments.js';
import type { RidgeConfig } from './schema.js';
import { type Solution, solve } from './solve.js';
import type { TargetSource } from './targets.js';

export type SparseLinearConfig = z.output<typeof sparseLinear.schema>;

/** What is fitted, and how. */
export interface Fitting {
  readonly name: 'pretrain' | 'distill';
  readonly model: SparseLinearConfig;
  readonly ridge: RidgeConfig;
  readonly targets: TargetsConfig;
  readonly validation: ValidationConfig;
  readonly seed: number;
  readonly dataset: Dataset;
  readonly rows: TrainRows;
  readonly source: TargetSource;
}

/** One setting's model, and how it ranks. */
interface Tried {
  readonly decay: number;
  readonly lambda: number;
  readonly loss: number;
  readonly inits: ParameterInits;
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * Fits a sparse-linear model by least squares, each row cut to its largest weights. Of several decays and λ the ones are kept that rank
 * the validation part best after the cut: first the decay, at the middle λ, then λ.
 *
 * @throws CONFIG_INVALID for more inputs than `ridge.inputs` or an unknown metric, INTERRUPTED
 */
export async function fitRidge(
  fitting: Fitting,
  hooks: Pick<StageHooks, 'onEpoch'>,
  context: StageContext,
): Promise<TrainedModel> {
  const { dataset, model: config, ridge, validation } = fitting;
  if (fitting.targets.baskets)
    throw new RecsysError(
      'CONFIG_INVALID',
      'targets.baskets: a sparse-linear model is fitted to each event after the one before it',
      { remedy: 'Leave `targets.baskets` out, or take another model.' },
    );
  const inputs = inputsOf(dataset.catalogue, config);
  requireInputs(inputs, ridge);
  const rank = rankingEvaluation(dataset, validation, fitting.targets, fitting.seed);
  const { metric } = validation;
  const lambdas = [ridge.lambda].flat();
  const decays = [ridge.decay ?? config.decay].flat();
  const middle = lambdas[Math.floor((lambdas.length - 1) / 2)]!;
  if (!rank && lambdas.length * decays.length > 1)
    context.log(
      'warn',
      `no validation row is a target: ridge.lambda ${middle} and decay ${decays[0]} are taken`,
    );
  let best: Tried | undefined;
  const kept = (): Tried => best!;
  const attempt = async (found: Moments, decay: number, lambda: number): Promise<boolean> => {
    const made = await cutModel(fitting, inputs, found, { decay, lambda }, context);
    const metrics = (await rank?.metrics(made.scorer)) ?? {};
    if (rank && metrics[metric] === undefined)
      throw new RecsysError(
        'CONFIG_INVALID',
        `validation.metric: "${metric}" is not computed here (there are ${Object.keys(metrics).join(', ')})`,
      );
    context.log('info', 'fitted', { decay, lambda, loss: made.loss, [metric]: metrics[metric] });
    if (best && metrics[metric]! <= best.metrics[metric]!) return false;
    best = { decay, lambda, loss: made.loss, inits: made.inits, metrics };
    return true;
  };
  let held: Moments | undefined;
  for (const decay of rank ? decays : decays.slice(0, 1)) {
    const found = await collect(fitting, inputs, decay, context);
    if (await attempt(found, decay, middle)) held = found;
  }
  if (rank) for (const lambda of lambdas) if (lambda !== middle) await attempt(held!, kept().decay, lambda);
  return finished(kept(), fitting, hooks);
}

function requireInputs({ size }: Inputs, { inputs: most }: RidgeConfig): void {
  if (size <= most) return;
  const gib = ((48 * size ** 2) / 2 ** 30).toFixed(1);
  throw new RecsysError(
    'CONFIG_INVALID',
    `ridge.inputs: the model has ${size} inputs (items and values of attributes), and at most ${most} are fitted`,
    {
      remedy: `A fit of these needs about ${gib} GiB, and time that grows with the cube: raise \`ridge.inputs\`, leave attributes out, or take another model.`,
    },
  );
}

/** Lets others have their turn, and stops where it was asked to. */
const stepper =
  ({ name }: Fitting, task: string, context: StageContext) =>
  async (done: number, total: number): Promise<void> => {
    context.progress({ task, done, total });
    await setImmediate();
    if (context.signal.aborted)
      throw new RecsysError('INTERRUPTED', `${name} was interrupted while it fitted`);
  };

async function collect(
  fitting: Fitting,
  inputs: Inputs,
  decay: number,
  context: StageContext,
): Promise<Moments> {
  const { rows, source, dataset, model } = fitting;
  const found = await moments(rows, {
    inputs: inputs.size,
    columns: dataset.catalogue.items.length,
    ...{ decay, length: model.length },
    ofUser: inputs.ofUser,
    targets: source.targets,
    step: stepper(fitting, `read the train rows (decay ${decay})`, context),
  });
  addItemAttributes(found, inputs);
  return found;
}

async function cutModel(
  fitting: Fitting,
  inputs: Inputs,
  found: Moments,
  { decay, lambda }: { readonly decay: number; readonly lambda: number },
  context: StageContext,
) {
  const { dataset, model: config } = fitting;
  const { catalogue } = dataset;
  const step = stepper(fitting, `fit (decay ${decay}, λ ${lambda})`, context);
  const solution = await solve(found, lambda, step);
  foldItemAttributes(solution.weights, found.columns, inputs);
  const model = sparseLinear.create({ ...config, decay }, catalogue);
  const inits = fill(model, solution, found.columns, config.neighbours, inputs);
  const scorer = directScorer(model.direct!(inits), catalogue.items.length - 1, model.name);
  return { inits, scorer, loss: solution.loss };
}

/** The model's parameters with the fitted weights in them. */
function fill(
  model: Model,
  { weights }: Solution,
  columns: number,
  count: number,
  inputs: Inputs,
): ParameterInits {
  const inits = model.init(new Random(0));
  const set = (name: string, data: Float32Array, at = 0): void => inits.get(name)!.data.set(data, at);
  const table = (name: string, from: number, rows: number): void => {
    const cut = largest(weights, columns, { from, rows, count });
    // Row 0 is padding.
    set(`${name}.neighbours`, cut.numbers, count);
    set(`${name}.weights`, cut.weights, count);
  };
  set('output.bias', weights.subarray(0, columns));
  table('item', 1, columns - 1);
  if (inputs.userTokens > 0) table('user', inputs.users + 1, inputs.userTokens);
  return inits;
}

async function finished(
  { decay, lambda, loss, inits, metrics }: Tried,
  { model, dataset }: Fitting,
  hooks: Pick<StageHooks, 'onEpoch'>,
): Promise<TrainedModel> {
  const row: Row = { epoch: 1, step: 1, loss, learningRate: 0, lambda, ...metrics };
  await hooks.onEpoch(row);
  const tensors = tensorsOf(inits);
  const progress = { ...freshProgress(), epoch: 1, bestEpoch: 1, stopped: true, history: [row] };
  return {
    config: { ...model, decay },
    catalogue: dataset.catalogue,
    tensors,
    fit: { best: tensors, bestRow: row, history: [row], last: { tensors, optimizer: new Map(), progress } },
  };
}
