import { withinBudget } from '../model/adaptation/budget.js';
import { checkedAdapter } from '../model/adapted.js';
import { restoreModel } from '../model/restore.js';
import type { StageContext } from '../types.js';
import { changedSettings } from './changed-settings.js';
import type { Base } from './checkpoints/base.js';
import { Exploration } from './exploration/exploration.js';
import { frozenModel } from './frozen.js';
import { GoodState } from './guard/good.js';
import type { Webhook } from './guard/webhook.js';
import type { ImpressionLog } from './impressions/log.js';
import { type FrozenModel, type OnlineLearner, TENSORS } from './learner.js';
import { serveLearner } from './learners.js';
import { ServiceMetrics } from './metrics.js';
import type { UserNames } from './privacy/pseudonyms.js';
import { renamedState } from './privacy/renamed.js';
import { UserData } from './privacy/user-data.js';
import type { Generation, Opening, ReadyService } from './rebuild/generations.js';
import { type RetrievalMeans, retrievalMeans } from './retrieval/means.js';
import { Retrieval } from './retrieval/retrieval.js';
import type { ServeOptions } from './serve-options.js';
import { foretellsValues, roomyModel } from './served-model.js';
import { RecommenderService } from './service.js';
import { readOnlineState } from './snapshot.js';
import { Snapshots } from './snapshots.js';
import { goodPath, indexPath, journalPath, newestState } from './state-directory.js';
import { turn } from './turn.js';
import { adaptsUsers } from './user-adaptation.js';
import { warmedBy, warmHistories } from './warm.js';

/** What all services over a state directory have in common. */
export interface Shared {
  readonly names: UserNames;
  readonly webhook: Webhook | undefined;
  readonly impressions: ImpressionLog | undefined;
}

/**
 * A service whose model is restored and whose functions are recorded: all that takes long and needs no journal.
 *
 * @throws what reading a checkpoint or a snapshot of the state directory throws
 */
export async function readyService(
  given: ServeOptions,
  shared: Shared,
  opening: Opening,
): Promise<ReadyService> {
  const model = await readyModel(given, shared, opening);
  return {
    open: (base) =>
      openOver(model, shared, opening, base).catch((error) => {
        model.dispose();
        throw error;
      }),
    dispose: model.dispose,
  };
}

/** The model, what a snapshot says of it, and what learns and is compared. */
async function readyModel(
  given: ServeOptions,
  { names }: Shared,
  { snapshot, sealed, base, context }: Opening,
) {
  const options = { ...given, checkpoint: base.checkpoint };
  const { checkpoint, data, seed } = options;
  const values = foretellsValues(checkpoint.config);
  const learning = {
    ...options.learning,
    loss: options.learning.loss ?? (values ? 'mse' : 'softmax'),
  } as const;
  // What has been taken up while serving has its histories from the journal.
  const taken = base.eras.current.since > 0;
  const baseState = taken ? undefined : renamedState(await readOnlineState(checkpoint), names);
  const warmed = warmedBy(data, options.dataPart);
  const newest = await newestState(options.state, base, warmed, context, snapshot);
  const { source, online = baseState } = newest;
  const restored = roomyModel(source, options);
  const rows = restored.catalogue.items.length;
  const sameOptimizer = online?.optimizer === learning.optimizer && online.rows === rows;
  if (online && !sameOptimizer) {
    const from = `${online.optimizer} of ${online.rows} items`;
    const to = `${learning.optimizer} of ${rows}`;
    context.log('info', `the optimizer changes from ${from} to ${to}: it begins afresh`);
  }
  if (learning.enabled && values && learning.loss !== 'mse')
    context.log(
      'warn',
      `the model was trained to foretell values, and \`learning.loss: ${learning.loss}\` teaches it to rank: \`mse\` goes on as it was trained`,
    );
  const adapters = [...options.adapters].map(
    ([name, stored]) => [name, checkedAdapter(stored, restored)] as const,
  );
  const scoring = await withinBudget(restored, options.budget, context);
  const known = source.catalogue.items.length;
  const learner = serveLearner(restored, learning, seed, {
    optimizer: sameOptimizer ? online?.optimizerState : undefined,
    known,
    introduced: online?.introduced,
    adapters: new Map(adapters),
    scoring: scoring.model,
  });
  const { arithmetic = TENSORS } = learner;
  context.log('info', `the model answers and learns by ${arithmetic}`, { arithmetic });
  if (online) {
    const config = { ...(options.config as object), learning, seed, arithmetic };
    const changed = changedSettings(
      { ...(source.config as object), seed: source.manifest.seed, arithmetic: online.arithmetic },
      config,
    );
    if (changed.length > 0)
      context.log(
        'warn',
        `settings have changed since the snapshot (${changed.join('; ')}): they hold from its journal record on, and a replay of the whole journal would give another model`,
      );
  }
  const frozen = options.quality.arms ? frozenModel(restoreModel(checkpoint)) : undefined;
  const dispose = (): void => {
    learner.dispose();
    frozen?.dispose();
  };
  const means = sealed
    ? undefined
    : await warmedUp(options, learner, frozen).catch((error) => {
        dispose();
        throw error;
      });
  const { catalogue } = restored;
  const fromSnapshot = newest.online !== undefined;
  return {
    ...{ options, learning, taken, baseState, warmed, fromSnapshot, source, online, catalogue },
    ...{ rows, known, learner, arithmetic, frozen, means, dispose },
  };
}

/** Records the functions of what answers, learns and is compared, and of what proposes. @returns what lists of candidates are made with */
async function warmedUp(
  { retrieval }: ServeOptions,
  learner: OnlineLearner,
  frozen: FrozenModel | undefined,
): Promise<RetrievalMeans | undefined> {
  await learner.warm?.(turn);
  await frozen?.warm?.(turn);
  return retrievalMeans(retrieval, learner);
}

/** Brings a model up to the journal. @param base what it serves; of one made ready for the next record, with that record */
async function openOver(
  model: Awaited<ReturnType<typeof readyModel>>,
  { webhook, impressions }: Shared,
  { sealed, context }: Opening,
  base: Base,
): Promise<Generation> {
  const { options, learning, source, online, rows, learner, arithmetic, frozen } = model;
  const { checkpoint, data, dataPart, state, seed } = options;
  const { optimizer } = learning;
  const baseVersion = (model.taken ? undefined : online?.baseVersion) ?? base.eras.version;
  const metrics = new ServiceMetrics();
  const standsFor = { base: base.eras, data: model.warmed, optimizer, arithmetic, rows };
  const good = await GoodState.open(goodPath(state), standsFor, context.log);
  const retrieval = await openRetrieval(model, base, metrics, context);
  const service = await RecommenderService.start({
    catalogue: model.catalogue,
    known: model.known,
    base: checkpoint.catalogue.items.length,
    learner,
    journal: journalPath(state),
    durability: options.durability,
    syncInterval: options.syncInterval,
    baseVersion,
    learning,
    retention: options.retention,
    requests: options.requests,
    quality: options.quality,
    lists: options.lists,
    retrieval,
    serving: {
      exploration: new Exploration(options.exploration, seed),
      experiment: options.experiment,
      ...(impressions && !sealed ? { impressions } : {}),
    },
    clicks: options.clicks,
    guard: options.guard,
    good,
    learns: (seq) => base.eras.learns(seq),
    ...(sealed ? { files: sealed, held: true } : {}),
    ...(webhook && !sealed ? { alerted: (alert) => webhook.send(alert) } : {}),
    frozen,
    questions: options.questions,
    // A snapshot has these histories already, but for those that were let go of.
    ...(data && !model.fromSnapshot
      ? { warm: (histories) => warmHistories(histories, data, checkpoint.catalogue, dataPart) }
      : {}),
    ...(online ? { from: online } : {}),
    metrics,
    context,
  });
  retrieval?.begin(service);
  if (adaptsUsers(learning.user) && !service.adapts)
    context.log(
      'warn',
      '`learning.user` has no effect: the model foretells values, or its states are too wide to keep one for each user',
    );
  const facts = {
    ...options,
    base: checkpoint,
    baseId: base.eras.id,
    baseVersion,
    optimizer,
    arithmetic,
    rows,
    config: { ...(options.config as object), learning },
    from: online?.journalId === service.journalId ? online.state.position : 0,
    trainedBefore: source.trainedEvents,
    good,
  };
  const snapshots = new Snapshots(service, facts, context);
  const told = { baseState: model.baseState, impressions, metrics, retrieval, log: context.log };
  const users = new UserData({ ...facts, ...told, service, snapshots });
  return { service, metrics, users, snapshots, base };
}

async function openRetrieval(
  { options, means, known }: Awaited<ReturnType<typeof readyModel>>,
  { eras }: Base,
  { registry }: ServiceMetrics,
  { log }: StageContext,
): Promise<Retrieval | undefined> {
  if (!means) return undefined;
  const directory = indexPath(options.state);
  return Retrieval.open({ config: options.retrieval, means, directory, eras, rows: known, registry, log });
}
