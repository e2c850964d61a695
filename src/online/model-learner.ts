import { compileStep } from '../compute/compile.js';
import { OPTIMIZERS } from '../compute/optimizers/index.js';
import { type ParameterInits, ParameterStore, type Params } from '../compute/parameters.js';
import { type AdapterConfig, adaptedModel } from '../model/adapted.js';
import type { Model } from '../model/model.js';
import type { RestoredModel } from '../model/restore.js';
import { directScorer, paramsScorer } from '../model/scorer.js';
import { paramsAdapter } from '../model/user-states.js';
import type { Scorer, TensorMap } from '../types.js';
import { CachedParams } from './cached-params.js';
import type { Judge, LearnOutcome, OnlineLearner } from './learner.js';
import { PopularityProposal } from './negatives.js';
import { nextItemLoss, packExamples } from './next-item-loss.js';
import type { LearningConfig } from './schema.js';
import { stateGradients } from './state-gradients.js';
import { packValues, valueLoss } from './value-loss.js';

/**
 * A checkpoint's model that learns from events: each event is the next item of its user's history, against negatives
 * drawn by the popularity of the training rows. Embedding tables are updated in the rows a batch touches.
 *
 * @param optimizer state to go on from, of the same optimizer and model
 * @param adapters by name: each adds its weights to the model's, as those are at the time
 * @param scoring what adapts to users where that is not the model itself: the same with other gradient steps
 */
export function modelLearner(
  restored: RestoredModel,
  config: LearningConfig,
  seed: number,
  optimizer?: TensorMap,
  adapters: ReadonlyMap<string, ModelAdapter> = new Map(),
  scoring: Model = restored.model,
): OnlineLearner {
  const { model, catalogue } = restored;
  const store = new ParameterStore(restored.inits, model.constants(), { sparseTables: true });
  const params = new CachedParams(store);
  const items = catalogue.items.length - 1;
  const live = model.direct && liveInits(restored.inits, store);
  const scorer = live
    ? directScorer(model.direct!(live), items, model.name)
    : paramsScorer(scoring, params, items, model.name);
  const adapted = new Map(
    [...adapters].map(([name, adapter]) => [
      name,
      adaptedScorer({ ...restored, model: scoring }, params, items, name, adapter),
    ]),
  );
  const kind = config.loss ?? 'softmax';
  /** Of the update under way: who judges it, the weight of its events, and why it is refused. */
  const under: { judge?: Judge | undefined; weight: number; refused?: string | undefined } = { weight: 1 };
  const step = compileStep({
    store,
    optimizer: OPTIMIZERS[config.optimizer](),
    loss: kind === 'mse' ? valueLoss(model) : nextItemLoss(kind, model),
    clipNorm: config.maxUpdateNorm,
    accepts({ loss, gradientNorm }) {
      const { judge, weight } = under;
      under.refused = judge?.({ loss: loss / weight, gradientNorm: gradientNorm / weight });
      return under.refused === undefined;
    },
    seed,
    // Batches here have many shapes and few steps each: recording one would cost more than it saves.
    compile: false,
  });
  if (optimizer && optimizer.size > 0) step.load(optimizer);
  const negatives = { proposal: new PopularityProposal(catalogue.itemCounts), count: config.negatives, seed };
  return {
    name: model.name,
    length: model.length,
    asks: model.readsAsked ?? false,
    columns: { times: model.readsTimes ?? false, values: model.readsValues !== undefined },
    adapters: [...adapters.keys()],
    score: (queries, adapter) => (adapter === undefined ? scorer : adapted.get(adapter)!).score(queries),
    states: {
      ...paramsAdapter(scoring, params),
      ...(kind === 'mse' ? {} : { gradients: stateGradients(scoring, params) }),
    },
    async learn(examples, judge) {
      const taught = kind === 'mse' ? examples.filter(({ event }) => event.value !== undefined) : examples;
      const weight = taught.reduce((sum, example) => sum + example.weight, 0);
      let learned: LearnOutcome = { status: 'skipped', reason: 'no value' };
      if (taught.length > 0) {
        const batch = kind === 'mse' ? packValues(taught, model) : packExamples(taught, model, negatives);
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
    async finite() {
      const all = await store.export();
      return [...all.values()].every(({ data }) => data.every(Number.isFinite));
    },
    async snapshot() {
      return { parameters: await store.export(), optimizer: await step.export() };
    },
    restore({ parameters, optimizer }) {
      store.load(parameters);
      step.load(optimizer);
      params.refresh();
    },
    dispose() {
      params.refresh();
      step.dispose();
      store.dispose();
      for (const one of adapted.values()) one.dispose();
    },
  };
}

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
