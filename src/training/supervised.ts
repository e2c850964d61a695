import { compileStep } from '../compute/compile.js';
import { hostTensor, type ParameterInits, ParameterStore } from '../compute/parameters.js';
import type { CompiledStep } from '../compute/step.js';
import type { Dataset } from '../data/dataset.js';
import { RecsysError } from '../errors.js';
import { type AdapterConfig, adaptedModel, adapterInits, isAdapter } from '../model/adapted.js';
import { growTensors } from '../model/grow.js';
import { LOSSES } from '../model/losses/index.js';
import { createModel, type ModelConfig } from '../model/registry.js';
import type { RestoredModel } from '../model/restore.js';
import { Random } from '../random.js';
import type { Catalogue, StageContext, TensorMap } from '../types.js';
import { type AdversarialConfig, adversaryOf } from './adversarial.js';
import { type ContrastiveConfig, requireDropout } from './contrastive.js';
import { type Ewc, importanceOf } from './ewc.js';
import { growCatalogue } from './growth.js';
import { type LayerConfig, layerPlan } from './layers.js';
import { masked, masksOf } from './masks.js';
import { labelObjective } from './objective.js';
import { growTogether, type Replay } from './replay.js';
import {
  keepsSparse,
  type RunConfig,
  runFit,
  type StageHooks,
  type TrainedModel,
  taskBatches,
  updateOptions,
} from './stage.js';

/** What pretraining and fine-tuning have in common: a model trained on labels alone, new or continued. */
export interface Supervised {
  readonly name: 'pretrain' | 'finetune' | 'compress';
  readonly modelConfig: ModelConfig;
  /** The checkpoint to continue; its vocabulary grows by the dataset's. */
  readonly from: Pick<RestoredModel, 'catalogue' | 'inits'> | undefined;
  /** Names of the parameters that stay as they are, of all there are. */
  frozen?(names: readonly string[]): ReadonlySet<string>;
  /** Parameters whose zeros stay zero. */
  readonly keepZeros?: ReadonlySet<string>;
  /** How much each layer learns, and when; default: all alike. */
  readonly layers?: LayerConfig;
  /** How strongly weights are pulled to those of `from`; default 0. */
  readonly l2Start?: number;
  /** The data of before, by which some weights are pulled more than others. */
  readonly ewc?: Ewc | undefined;
  /** The data of before, of which some batches are made. */
  readonly replay?: Replay | undefined;
  /** Trained in place of the model's own parameters, which stay; found among the result's tensors beside them. */
  readonly adapter?: AdapterConfig | undefined;
}

export async function trainOnLabels(
  {
    name,
    modelConfig,
    from,
    frozen,
    keepZeros = new Set(),
    l2Start = 0,
    ewc,
    layers,
    replay,
    adapter,
  }: Supervised,
  config: RunConfig & { readonly contrastive: ContrastiveConfig; readonly adversarial: AdversarialConfig },
  source: Dataset,
  hooks: StageHooks,
  context: StageContext,
): Promise<TrainedModel> {
  const grown = from && grownFor(from.catalogue, source, { replay, ewc });
  if (grown) context.log('info', 'vocabulary grown', { added: grown.added });
  if (grown && adapter) requireKnown(grown.added);
  const dataset = grown?.dataset ?? source;
  const whole = createModel(modelConfig, dataset.catalogue);
  requireDropout(whole, config.contrastive);
  const fresh = whole.init(Random.of(config.seed, 'init'));
  const before = from && tensorsOf(from.inits);
  const own: ParameterInits = before ? growTensors(fresh, before, `${name} --from`) : fresh;
  const adversary = adversaryOf(whole.name, own, config.adversarial);
  const stay = frozen?.([...own.keys()].filter((of) => !own.get(of)!.fixed)) ?? new Set();
  const base = { model: whole, config: modelConfig, catalogue: dataset.catalogue, inits: own };
  const adapting = adapter && adapterInits(base, adapter, Random.of(config.seed, 'adapter'));
  const inits = new Map([...own, ...(adapting ?? [])]);
  const model = adapter ? adaptedModel(base, adapter) : whole;
  const stays = (of: string): boolean => stay.has(of) || (adapter !== undefined && !isAdapter(of, adapter));
  const training = [...inits.keys()].filter((of) => !inits.get(of)!.fixed && !stays(of));
  const plan = layers && layerPlan(model, training, layers, config.epochs);
  if (plan) context.log('info', 'layers from the top', { layers: plan.layers.map(({ names }) => names) });
  const loss = LOSSES[config.loss];
  const sparseTables = keepsSparse(inits, model, loss.readsCatalogue);
  const constants = new Map([...model.constants(), ...masksOf(inits, keepZeros)]);
  const store = new ParameterStore(inits, constants, { sparseTables });
  const objective = labelObjective(model, loss, config.contrastive);
  let step: CompiledStep | undefined;
  try {
    const dependence = { store, loss: objective, frozen: stays };
    const importance =
      before && grown?.ewc && (await importanceOf(grown.ewc, model, dependence, before, config, context));
    step = compileStep({
      store,
      ...updateOptions(config),
      l2Start: before && { strength: l2Start, from: before, importance },
      adversary,
      loss: (params, inputs, pass) => objective(masked(params, keepZeros), inputs, pass),
      frozen: stays,
      groups: plan?.groups,
    });
    const batches = taskBatches(model, dataset, config, undefined, grown?.replay);
    const parts = { model, store, step, dataset, ...batches, ...(plan ? { layers: plan } : {}) };
    const fit = await runFit(name, parts, config, hooks, context);
    return { config: modelConfig, catalogue: dataset.catalogue, tensors: fit.best, fit };
  } finally {
    step?.dispose();
    store.dispose();
  }
}

/** The target dataset, and that of before, under the checkpoint's catalogue grown by what is new. */
function grownFor(old: Catalogue, source: Dataset, { replay, ewc }: Pick<Supervised, 'replay' | 'ewc'>) {
  const known = replay ?? ewc;
  if (!known) return { ...growCatalogue(old, source), replay, ewc };
  const { dataset, before, added } = growTogether(
    old,
    source,
    known.dataset,
    replay ? 'replay.data' : 'ewc.data',
  );
  return {
    dataset,
    added,
    replay: replay && { ...replay, dataset: before },
    ewc: ewc && { ...ewc, dataset: before },
  };
}

/** An adapter goes with the model it was trained on, so it can bring no row of a table. */
function requireKnown({ users: _, ...added }: Readonly<Record<string, number>>): void {
  const more = Object.entries(added).filter(([, count]) => count > 0);
  if (more.length === 0) return;
  const what = more.map(([name, count]) => `${count} ${name}`).join(', ');
  throw new RecsysError(
    'CONFIG_INVALID',
    `adapter: the dataset has what the checkpoint does not know (${what})`,
    {
      remedy: 'Fine-tune without `adapter` first; adapters then go with that checkpoint.',
    },
  );
}

/** A model's values as tensors. */
export function tensorsOf(inits: ParameterInits): TensorMap {
  return new Map([...inits].map(([name, init]) => [name, hostTensor(init)]));
}
