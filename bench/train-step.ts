/**
 * Time of one training step, recorded as a graph against op by op, on the native backend; alternating in one run.
 *   npm run bench:train-step [-- --json] [--steps 8]
 * The step: a causal transformer of 2 blocks over random sequences of 3,416 items, sampled softmax with 1,024 shared
 * negatives, dropout .2, Adam. Ratios are what to quote; the milliseconds hold for the machine they were taken on.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { compileStep } from '../src/compute/compile.js';
import { adam } from '../src/compute/optimizers/adam.js';
import { ParameterStore } from '../src/compute/parameters.js';
import { selectBackend } from '../src/compute/select.js';
import type { Batch } from '../src/compute/step.js';
import { sampledSoftmax } from '../src/model/losses/sampled-softmax.js';
import { createModel, modelSchema } from '../src/model/registry.js';
import { Random } from '../src/random.js';
import { f32, i32 } from '../src/training/batches.js';
import { labelObjective } from '../src/training/objective.js';
import type { Catalogue, FeatureTable } from '../src/types.js';

const ITEMS = 3416;
const NEGATIVES = 1024;
const SHAPES = [
  { batch: 128, length: 50, width: 64 },
  { batch: 128, length: 200, width: 64 },
  { batch: 64, length: 200, width: 128 },
] as const;

const { values: flags } = parseArgs({
  options: { json: { type: 'boolean', default: false }, steps: { type: 'string', default: '8' } },
});

function catalogue(): Catalogue {
  const none = (rows: number): FeatureTable => ({
    rows,
    width: 0,
    tokens: new Int32Array(0),
    tokenNames: [''],
    numbers: new Float32Array(0),
    numberNames: [],
  });
  const items = Array.from({ length: ITEMS + 1 }, (_, i) => String(i));
  const counts = new Float32Array(ITEMS + 1).fill(1);
  return {
    users: ['', 'u'],
    items,
    behaviours: ['view'],
    titles: items,
    itemFeatures: none(ITEMS + 1),
    userFeatures: none(2),
    itemCounts: counts,
  };
}

function randomBatch({ batch, length }: (typeof SHAPES)[number]): Batch {
  const rng = new Random(1);
  const some = (n: number): Int32Array => Int32Array.from({ length: n }, () => 1 + rng.int(ITEMS));
  const n = batch * length;
  return {
    users: i32(new Int32Array(batch), [batch]),
    items: i32(some(n), [batch, length]),
    behaviours: i32(new Int32Array(n).fill(1), [batch, length]),
    positions: i32(
      Int32Array.from({ length: n }, (_, i) => i),
      [n],
    ),
    targets: i32(some(n), [n]),
    weights: f32(new Float32Array(n).fill(1), [n]),
    negatives: i32(some(NEGATIVES), [NEGATIVES]),
    logSampling: f32(Float32Array.of(Math.log(ITEMS / NEGATIVES)), [1]),
  };
}

function build(shape: (typeof SHAPES)[number], compile: boolean) {
  const config = {
    name: 'transformer',
    width: shape.width,
    length: shape.length,
    depth: 2,
    heads: 1,
    feedForward: 1,
  };
  const model = createModel(modelSchema.parse(config), catalogue());
  const store = new ParameterStore(model.init(new Random(1)), model.constants(), { sparseTables: true });
  const loss = labelObjective(model, sampledSoftmax);
  const step = compileStep({ store, optimizer: adam(), loss, clipNorm: 5, seed: 1, compile });
  const dispose = (): void => {
    step.dispose();
    store.dispose();
  };
  return { step, dispose };
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

const backend = await selectBackend('tensorflow');
const rows = [];
for (const shape of SHAPES) {
  const batch = randomBatch(shape);
  const eager = build(shape, false);
  const recorded = build(shape, true);
  const times = { eager: [] as number[], recorded: [] as number[] };
  for (let n = 0; n <= Number(flags.steps); n++) {
    for (const [name, { step }] of Object.entries({ eager, recorded })) {
      const start = performance.now();
      await step.run([batch], 1e-3);
      if (n > 0) times[name as keyof typeof times].push(performance.now() - start);
    }
  }
  eager.dispose();
  recorded.dispose();
  const [a, b] = [median(times.eager), median(times.recorded)];
  rows.push({
    shape: `${shape.batch} × ${shape.length} × ${shape.width}`,
    eager: a,
    recorded: b,
    ratio: a / b,
  });
}
const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, ${backend.version}, ${backend.threads} threads`;
if (flags.json) console.log(JSON.stringify({ machine, rows }));
else {
  const columns = ['batch × length × width', 'eager ms', 'recorded ms', 'eager / recorded'];
  const cells = rows.map((r) => [r.shape, r.eager.toFixed(0), r.recorded.toFixed(0), r.ratio.toFixed(1)]);
  console.log(`${machine}\n${[columns, ...cells].map((line) => line.join('\t')).join('\n')}`);
}
