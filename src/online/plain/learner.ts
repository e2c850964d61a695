import { OPTIMIZERS } from '../../compute/optimizers/index.js';
import { PlainParameters } from '../../compute/plain/parameters.js';
import { PlainStep } from '../../compute/plain/step.js';
import type { Model } from '../../model/model.js';
import type { RestoredModel } from '../../model/restore.js';
import { allRows, firstRows, freshInits } from '../../model/room.js';
import { ItemRows } from '../item-rows.js';
import type { Judge, LearnExample, LearnOutcome, OnlineLearner } from '../learner.js';
import type { LearnerOptions } from '../model-learner.js';
import { drawNegatives, PopularityProposal } from '../negatives.js';
import { NewItems } from '../new-items.js';
import { restartedState } from '../restarted-rows.js';
import type { LearningConfig } from '../schema.js';
import { PLAIN_LOSSES } from './losses.js';
import { plainScores, plainStates } from './states.js';

/**
 * What `modelLearner` does, without tensors: of a model that is written out over arrays, with its gradients. The same negatives, losses and rules of update,
 * summed in another order: parameters agree to the digits of float32, not bit for bit.
 */
export function plainLearner(
  { model, catalogue, inits }: RestoredModel & { readonly model: Model & Required<Pick<Model, 'plain'>> },
  config: LearningConfig,
  seed: number,
  { optimizer, introduced, known }: Pick<LearnerOptions, 'optimizer' | 'introduced' | 'known'> = {},
): OnlineLearner {
  const rule = OPTIMIZERS[config.optimizer]();
  const parameters = new PlainParameters(inits, 1 + rule.slots.length);
  const plain = model.plain(parameters.live(inits));
  const kind = config.loss ?? 'softmax';
  /** Of the update under way: who judges it, the weight of its events, and why it is refused. */
  const under: { judge?: Judge | undefined; weight: number; refused?: string | undefined } = { weight: 1 };
  const step = new PlainStep(parameters, {
    optimizer: rule,
    clipNorm: config.maxUpdateNorm,
    accepts({ loss, gradientNorm }) {
      const { judge, weight } = under;
      under.refused = judge?.({ loss: loss / weight, gradientNorm: gradientNorm / weight });
      return under.refused === undefined;
    },
  });
  if (optimizer && optimizer.size > 0) step.load(optimizer);
  const rows = catalogue.items.length;
  const newItems = new NewItems(inits, parameters, { rows, known: known ?? rows, introduced });
  const shown = config.negativesFrom === 'shown' ? new ItemRows(catalogue.items) : undefined;
  const negatives = {
    proposal: new PopularityProposal(catalogue.itemCounts),
    count: kind === 'mse' ? 0 : config.negatives,
    seed,
    shown,
  };
  const candidates = new Int32Array(1 + negatives.count);
  const drawn = candidates.subarray(1);
  const offsets = new Float32Array(negatives.count);
  /** Gathers an example's gradients. @returns its weighted loss */
  const gather = (example: LearnExample): number => {
    const { query, item, weight, event } = example;
    candidates[0] = item;
    if (negatives.count > 0) drawNegatives(example, negatives, drawn, offsets);
    const state = plain.state(query);
    const gradients = plain.logits(state, candidates);
    const loss = PLAIN_LOSSES[kind](gradients, { offsets, value: event.value ?? Number.NaN });
    for (let j = 0; j < gradients.length; j++) gradients[j] = weight * gradients[j]!;
    plain.backward(query, state, candidates, gradients, step.gradients);
    return weight * loss;
  };
  const update = (taught: readonly LearnExample[], judge: Judge | undefined): LearnOutcome => {
    const weight = taught.reduce((sum, example) => sum + example.weight, 0);
    // FTRL's weights are a function of its sums: first values would be gone with the first update.
    if (config.optimizer !== 'ftrl') newItems.introduce(taught);
    Object.assign(under, { judge, weight, refused: undefined });
    const loss = taught.reduce((sum, example) => sum + gather(example), 0);
    if (step.update(loss, config.learningRate)) return { status: 'learned', loss: loss / weight };
    return { status: 'skipped', reason: under.refused ?? '' };
  };
  const states = plainStates(plain, model.width);
  return {
    name: model.name,
    arithmetic: PLAIN_ARITHMETIC,
    length: model.length,
    columns: { times: false, values: false },
    score: plainScores(plain),
    contributions: async (query, items) => plain.contributions(query, items),
    states,
    ...(kind === 'mse' ? {} : { learnable: states }),
    async learn(examples, judge) {
      const taught = kind === 'mse' ? examples.filter(({ event }) => event.value !== undefined) : examples;
      const learned = taught.length > 0 ? update(taught, judge) : undefined;
      const of = new Set(taught);
      return examples.map((one) =>
        learned && of.has(one) ? learned : { status: 'skipped', reason: 'no value' },
      );
    },
    finite: async () => parameters.finite(),
    snapshot: async (known = rows) => ({
      parameters: firstRows(parameters.export(), inits, known),
      optimizer: step.export(),
      introduced: newItems.snapshot(known),
    }),
    restore({ parameters: values, optimizer, introduced: had }, restarted = []) {
      parameters.load(allRows(values, inits, () => freshInits(model, seed)));
      step.load(restartedState(optimizer, restarted, { inits, optimizer: rule }));
      newItems.restore(had);
      newItems.restart(restarted);
    },
    async restart(items) {
      const rows = items.map(({ row }) => row);
      newItems.restart(rows);
      step.load(restartedState(step.export(), rows, { inits, optimizer: rule }));
      for (const { row, id } of items) shown?.give(row, id);
    },
    dispose() {},
  };
}

/** Names the order in which sums are made, on which the last digits of what is learned depend: another name wherever that changes. */
export const PLAIN_ARITHMETIC = 'arrays 1';
