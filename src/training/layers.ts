import type { GroupRate } from '../compute/optimizers/optimizer.js';
import { RecsysError } from '../errors.js';
import { addedTo } from '../model/adapted.js';
import type { Model } from '../model/model.js';
import { isUnder } from '../model/weights.js';

/** How much each layer of a continued model learns, and when. */
export interface LayerConfig {
  /** Factor of the learning rate from each layer to the one below; 1 = none. */
  readonly rateDecay: number;
  /** Epochs after which one more layer, from the top, trains; 0 = all do from the first. */
  readonly unfreeze: number;
}

/** Parameters that learn alike. */
export interface Layer {
  /** How many layers of the model are above it. */
  readonly depth: number;
  readonly names: readonly string[];
}

/**
 * The layers that train of a model, from the top: what lies in none of its `stack` is under all of them, as embeddings are. Those of an
 * adapter are of the layer of what they are added to.
 *
 * @param names of the parameters that train
 * @throws CONFIG_INVALID where there are not at least two
 */
export function layersOf({ name: model, stack = [] }: Model, names: readonly string[], key: string): Layer[] {
  const rooms: string[][] = [...stack, []].map(() => []);
  for (const name of names) {
    const own = addedTo(name);
    const at = stack.findIndex((prefixes) => prefixes.some((prefix) => isUnder(own, prefix)));
    // From the bottom: nothing's room is 0.
    rooms[at + 1]!.push(name);
  }
  const layers = rooms
    .toReversed()
    .map((room, depth) => ({ depth, names: room }))
    .filter((layer) => layer.names.length > 0);
  if (layers.length > 1) return layers;
  throw new RecsysError(
    'CONFIG_INVALID',
    `${key}: what trains of this ${model} is one layer, with none above or below it (${names.join(', ')})`,
    { remedy: `Leave out \`${key}\`, or train more of the model.` },
  );
}

/** How a step and its loop are to treat layers; undefined: all parameters learn alike, from the first epoch. */
export function layerPlan(model: Model, names: readonly string[], config: LayerConfig, epochs: number) {
  const { rateDecay, unfreeze } = config;
  if (rateDecay === 1 && unfreeze === 0) return undefined;
  const layers = layersOf(model, names, unfreeze > 0 ? 'unfreeze' : 'rateDecay');
  const grace = unfreeze * (layers.length - 1);
  if (grace >= epochs) {
    throw new RecsysError(
      'CONFIG_INVALID',
      `unfreeze: of ${layers.length} layers the lowest would begin after epoch ${grace}, and there are ${epochs}`,
      { remedy: 'Raise `epochs`, lower `unfreeze`, or `freeze` what is never to train.' },
    );
  }
  const groupOf = new Map(layers.flatMap(({ names }, i) => names.map((name) => [name, i] as const)));
  return {
    layers,
    /** Epochs in which not all of them train. */
    grace,
    groups: { count: layers.length, of: (name: string): number => groupOf.get(name)! },
    groupRates: (epoch: number, stepsPerEpoch: number): GroupRate[] =>
      layerRates(layers, config, epoch, stepsPerEpoch),
  };
}

/** The rates of layers in an epoch, from 0 (Howard & Ruder 2018: discriminative fine-tuning and gradual unfreezing). */
export function layerRates(
  layers: readonly Layer[],
  { rateDecay, unfreeze }: LayerConfig,
  epoch: number,
  stepsPerEpoch: number,
): GroupRate[] {
  return layers.map(({ depth }, i) => {
    const first = i * unfreeze;
    return { share: epoch < first ? 0 : rateDecay ** depth, since: first * stepsPerEpoch };
  });
}
