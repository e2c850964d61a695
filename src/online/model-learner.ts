import { compileStep, recordsGradients } from '../compute/compile.js';
import { OPTIMIZERS } from '../compute/optimizers/index.js';
import { type ParameterInits, ParameterStore, type Params } from '../compute/parameters.js';
import { type AdapterConfig, adaptedModel } from '../model/adapted.js';
import { paramsContributions } from '../model/contributions.js';
import type { Model } from '../model/model.js';
import type { RestoredModel } from '../model/restore.js';
import { allRows, firstRows, freshInits } from '../model/room.js';
import { directScorer, livingScorer, paramsScorer } from '../model/scorer.js';
import { paramsAdapter } from '../model/user-states.js';
import type { Scorer, TensorMap } from '../types.js';
import { CachedParams } from './cached-params.js';
import { examplesOfEverySize, inFewSizes } from './few-sizes.js';
import { ItemRows } from './item-rows.js';
import type { Judge, LearnOutcome, OnlineLearner } from './learner.js';
import { MOST_TOGETHER } from './micro-batch.js';
import { modelProducts } from './model-products.js';
import { PopularityProposal } from './negatives.js';
import { NewItems } from './new-items.js';
import { nextItemLoss, packExamples } from './next-item-loss.js';
import { restartedState } from './restarted-rows.js';
import type { LearningConfig } from './schema.js';
import { stateGradients } from './state-gradients.js';
import { packValues, valueLoss } from './value-loss.js';

export interface LearnerOptions {
  /** State to go on from, of the same optimizer and model. */
  readonly optimizer?: TensorMap | undefined;
  /** Rows of the catalogue that have items, and which of them have values of their own. Default: all. */
  readonly known?: number;
  readonly introduced?: Uint8Array | undefined;
  /** By name: each adds its weights to the model's, as those are at the time. */
  readonly adapters?: ReadonlyMap<string, ModelAdapter>;
  /** What adapts to users where that is not the model itself: the same with other gradient steps. */
  readonly scoring?: Model;
}

/**
 * A checkpoint's model that learns from events: each event is the next item of its user's history, against negatives
 * drawn by the popularity of the training rows. Embedding tables are updated in the rows a batch touches.
 */
export function modelLearner(
  restored: RestoredModel,
  config: LearningConfig,
  seed: number,
  { optimizer, introduced, known, adapters = new Map(), scoring = restored.model }: LearnerOptions = {},
): OnlineLearner {
  const { model, catalogue } = restored;
  const store = new ParameterStore(restored.inits, model.constants(), { sparseTables: true });
  const params = new CachedParams(store);
  const items = catalogue.items.length - 1;
  const live = model.direct && liveInits(restored.inits, store);
  const compiled = live
    ? undefined
    : livingScorer(scoring, params, () => params.changing(), { items, name: model.name });
  const scorer = compiled ?? directScorer(model.direct!(live!), items, model.name);
  const adapted = new Map(
    [...adapters].map(([name, adapter]) => [
      name,
      adaptedScorer({ ...restored, model: scoring }, params, items, name, adapter),
    ]),
  );
  const kind = config.loss ?? 'softmax';
  /** Of the update under way: who judges it, the weight of its events, and why it is refused. */
  const under: { judge?: Judge | undefined; weight: number; refused?: string | undefined } = { weight: 1 };
  const rule = OPTIMIZERS[config.optimizer]();
  const step = compileStep({
    store,
    optimizer: rule,
    loss: kind === 'mse' ? valueLoss(model) : nextItemLoss(kind, model),
    clipNorm: config.maxUpdateNorm,
    accepts({ loss, gradientNorm }) {
      const { judge, weight } = under;
      under.refused = judge?.({ loss: loss / weight, gradientNorm: gradientNorm / weight });
      return under.refused === undefined;
    },
    seed,
    held: { params, tensors: () => params.changing() },
  });
  const recorded = recordsGradients(step);
  if (optimizer && optimizer.size > 0) step.load(optimizer);
  const rows = catalogue.items.length;
  const newItems = new NewItems(restored.inits, store, { rows, known: known ?? rows, introduced });
  const shown = config.negativesFrom === 'shown' ? new ItemRows(catalogue.items) : undefined;
  const negatives = {
    proposal: new PopularityProposal(catalogue.itemCounts),
    count: config.negatives,
    seed,
    shown,
  };
  const contributions = paramsContributions(model, params);
  const products = modelProducts(scoring, store);
  return {
    name: model.name,
    ...(recorded ? { arithmetic: RECORDED } : {}),
    length: model.length,
    ...(contributions ? { contributions } : {}),
    asks: model.readsAsked ?? false,
    columns: { times: model.readsTimes ?? false, values: model.readsValues !== undefined },
    adapters: [...adapters.keys()],
    score: (queries, adapter) => (adapter === undefined ? scorer : adapted.get(adapter)!).score(queries),
    states: { ...paramsAdapter(scoring, params), products },
    ...(kind === 'mse'
      ? {}
      : { learnable: { ...paramsAdapter(model, params), gradients: stateGradients(model, params) } }),
    async learn(examples, judge) {
      const taught = kind === 'mse' ? examples.filter(({ event }) => event.value !== undefined) : examples;
      const weight = taught.reduce((sum, example) => sum + example.weight, 0);
      let learned: LearnOutcome = { status: 'skipped', reason: 'no value' };
      if (taught.length > 0) {
        // FTRL's weights are a function of its sums: first values would be gone with the first update.
        if (config.optimizer !== 'ftrl') newItems.introduce(taught);
        const rows = recorded ? inFewSizes(taught) : taught;
        const batch =
          kind === 'mse' ? packValues(rows, model, recorded) : packExamples(rows, model, negatives, recorded);
        Object.assign(under, { judge, weight, refused: undefined });
        const { loss } = await step.run([batch], config.learningRate);
        params.refresh();
        learned =
          under.refused === undefined
            ? { status: 'learned', loss: loss / weight }
            : { status: 'skipped', reason: under.refused };
      }
      const of = new Set(taught);
      return examples.map((one) => (of.has(one) ? learned : { status: 'skipped', reason: 'no value' }));
    },
    async warm(pause) {
      await compiled?.warm(MOST_TOGETHER, pause);
      if (!recordsGradients(step)) return;
      const batches = examplesOfEverySize(config.batch, model.length, rows).map((examples) =>
        kind === 'mse' ? packValues(examples, model, true) : packExamples(examples, model, negatives, true),
      );
      await step.warm(batches, pause);
    },
    async finite() {
      const all = await store.export();
      return [...all.values()].every(({ data }) => data.every(Number.isFinite));
    },
    async snapshot(known = rows) {
      const parameters = firstRows(await store.export(), restored.inits, known);
      return { parameters, optimizer: await step.export(), introduced: newItems.snapshot(known) };
    },
    restore({ parameters, optimizer, introduced: had }, restarted = []) {
      store.load(allRows(parameters, restored.inits, () => freshInits(model, seed)));
      step.load(restartedState(optimizer, restarted, { inits: restored.inits, optimizer: rule }));
      newItems.restore(had);
      newItems.restart(restarted);
      params.refresh();
    },
    async restart(items) {
      const rows = items.map(({ row }) => row);
      newItems.restart(rows);
      step.load(restartedState(await step.export(), rows, { inits: restored.inits, optimizer: rule }));
      for (const { row, id } of items) shown?.give(row, id);
      params.refresh();
    },
    dispose() {
      compiled?.dispose();
      products?.dispose();
      params.refresh();
      step.dispose();
      store.dispose();
      for (const one of adapted.values()) one.dispose();
    },
  };
}

/** Gradients come from a recorded function, of batches in few sizes. */
const RECORDED = 'tensors 2, recorded gradients';

/** Weights that are added to a model's, and how. */
export interface ModelAdapter {
  readonly config: AdapterConfig;
  readonly tensors: TensorMap;
}

function adaptedScorer(
  restored: RestoredModel,
  params: Params,
  items: number,
  name: string,
  { config, tensors }: ModelAdapter,
): Scorer & { dispose(): void } {
  const own = new ParameterStore(new Map(), tensors);
  const adapted = adaptedModel(restored, config, own.reader());
  return { ...paramsScorer(adapted, params, items, name), dispose: () => own.dispose() };
}

/** Parameters whose values are the store's own memory, which updates change; undefined where some are held elsewhere. */
function liveInits(inits: ParameterInits, { tables }: ParameterStore): ParameterInits | undefined {
  const live: ParameterInits = new Map();
  for (const [name, init] of inits) {
    const data = init.fixed ? init.data : tables.get(name)?.data;
    if (!data) return undefined;
    live.set(name, { ...init, data });
  }
  return live;
}
