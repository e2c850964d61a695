import type { ParameterInits } from '../../../src/compute/parameters.js';
import { createModel, modelSchema } from '../../../src/model/registry.js';
import type { OnlineLearner } from '../../../src/online/learner.js';
import { serveLearner } from '../../../src/online/learners.js';
import { ServiceMetrics } from '../../../src/online/metrics.js';
import { retrievalMeans } from '../../../src/online/retrieval/means.js';
import { Retrieval, type RetrievalOptions } from '../../../src/online/retrieval/retrieval.js';
import { retrievalSchema } from '../../../src/online/retrieval/schema.js';
import { loadUsearch } from '../../../src/online/retrieval/usearch.js';
import { learningSchema } from '../../../src/online/schema.js';
import { turn } from '../../../src/online/turn.js';
import { Random } from '../../../src/random.js';
import { catalogue, recordingContext } from '../fixtures.js';

export const ITEMS = 2000;
export const WIDTH = 16;

/** Why a test is skipped, if so. */
export const skip: string | false = await loadUsearch().then(
  () => false as const,
  () => 'the package usearch cannot be loaded here',
);

/** Vectors around forty centres, as a trained model has them, and biases. */
export function clustered(inits: ParameterInits): void {
  const rng = new Random(1);
  const centres = Float32Array.from({ length: 40 * WIDTH }, () => rng.normal());
  for (const name of ['item.embedding', 'output.embedding']) {
    const { data = new Float32Array(0) } = inits.get(name) ?? {};
    for (let i = 0; i < data.length; i += WIDTH) {
      const centre = rng.int(40) * WIDTH;
      for (let d = 0; d < WIDTH; d++) data[i + d] = centres[centre + d]! + 0.5 * rng.normal();
    }
  }
  const { data: bias = new Float32Array(0) } = inits.get('output.bias') ?? {};
  for (let i = 0; i < bias.length; i++) bias[i] = rng.normal();
}

export const MODELS = {
  linear: { name: 'linear', width: WIDTH, length: 10 },
  transformer: { name: 'transformer', width: WIDTH, depth: 1, heads: 1, length: 10 },
};

/** What serves a model of so many items. */
export function learnerOf(model: object, items = ITEMS, learning: object = {}): OnlineLearner {
  const config = modelSchema.parse(model);
  const known = catalogue(5, items);
  const made = createModel(config, known);
  const inits = made.init(new Random(1));
  clustered(inits);
  const restored = { model: made, config, catalogue: known, inits };
  return serveLearner(restored, learningSchema.parse({ learningRate: 0.1, ...learning }), 1, {});
}

/** Candidates of a learner's items; `lines` has what was logged. */
export async function retrievalOf(
  directory: string,
  learner: OnlineLearner,
  config: object = {},
  over: Partial<RetrievalOptions> = {},
) {
  const { lines, log } = recordingContext();
  const { registry } = new ServiceMetrics();
  const settings = retrievalSchema.parse({ kind: 'usearch', ...config });
  const means = (await retrievalMeans(settings, learner))!;
  const retrieval = await Retrieval.open({
    config: settings,
    ...{ means, directory, registry, log, rows: ITEMS + 1 },
    eras: { id: 'a', fits: (id) => id === 'a' },
    ...over,
  });
  return { retrieval, lines, registry };
}

/** Resolves once there is an index. */
export async function made(retrieval: Retrieval): Promise<void> {
  retrieval.begin({ position: 0, lag: 0 });
  while (!retrieval.ready) await turn();
}
