/**
 * Learning to adapt, and adapting: milliseconds to adapt to one user of 20 events on one thread, in process, and tasks a second in
 * meta-training: all users of a batch in one recorded step against the same algorithm op by op, one user at a time.
 *   npm run bench:adapt [-- --json] [--users 500] [--seconds 10] [checkpoint …]
 * The first table is of the presets of `recsys meta-train`, untrained (what the weights are changes no time), or of the checkpoints;
 * the second is of the presets: 32 users a step, up to 100 events of each given and 30 asked about, alternating in one run.
 */
import { cpus } from 'node:os';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { compileStep } from '../src/compute/compile.js';
import { useKernels } from '../src/compute/ops/kernel.js';
import { adam } from '../src/compute/optimizers/adam.js';
import { ParameterStore } from '../src/compute/parameters.js';
import { selectBackend } from '../src/compute/select.js';
import { adaptationTimes } from '../src/model/adaptation/adaptation-times.js';
import { LOSSES } from '../src/model/losses/index.js';
import { createModel, modelSchema } from '../src/model/registry.js';
import { type RestoredModel, restoreModel } from '../src/model/restore.js';
import { modelAdapter } from '../src/model/user-states.js';
import { Random } from '../src/random.js';
import { readCheckpoint } from '../src/storage/checkpoint.js';
import { META_PRESETS, type MetaPresetName } from '../src/training/meta/presets.js';
import { taskBatches } from '../src/training/meta/task-batches.js';
import { labelObjective } from '../src/training/objective.js';
import { targetsSchema } from '../src/training/schema.js';
import { trainRows } from '../src/training/train-rows.js';
import type { Query } from '../src/types.js';
import { datasetOf, randomEvents, richCatalogue } from '../test/suites/fixtures.js';
import { median } from './step.js';

// Read when the backend is loaded.
process.env.TF_NUM_INTRAOP_THREADS = '1';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    users: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '10' },
  },
});
const ITEMS = 3706;
const EVENTS = 20;
const BATCH = 32;
const TIMED: readonly MetaPresetName[] = [
  'fold-in',
  'maml',
  'fomaml',
  'reptile',
  'anil',
  'meta-sgd',
  'neural-process',
];
const LEARNERS: readonly MetaPresetName[] = ['fold-in', 'maml', 'fomaml', 'reptile', 'anil', 'meta-sgd'];

const catalogue = richCatalogue(200, ITEMS);
const dataset = datasetOf(catalogue, randomEvents(catalogue, 1, 60, 130));

function untrained(preset: MetaPresetName): RestoredModel {
  const config = modelSchema.parse(META_PRESETS[preset].model);
  const model = createModel(config, catalogue);
  return { model, config, catalogue, inits: model.init(new Random(1)) };
}

function histories(count: number, items: number): Query[] {
  const rng = new Random(7);
  return Array.from({ length: count }, () => ({
    user: 0,
    items: Int32Array.from({ length: EVENTS }, () => 1 + rng.int(items)),
    behaviours: new Uint8Array(EVENTS),
    values: Float32Array.from({ length: EVENTS }, () => 1 + rng.int(5)),
  }));
}

/** A learner's training: tasks a second of `batchSize` users a step, recorded or op by op. */
function training(preset: MetaPresetName, batchSize: number, compile: boolean) {
  const { model, inits } = untrained(preset);
  const store = new ParameterStore(inits, model.constants());
  const step = compileStep({
    store,
    optimizer: adam(),
    loss: labelObjective(model, LOSSES.mse),
    clipNorm: 5,
    seed: 1,
    compile,
  });
  const rows = trainRows(dataset, targetsSchema.parse({}), { center: 3 });
  const users = Int32Array.from({ length: 200 }, (_, u) => u + 1);
  const negatives = { need: [], count: 0, items: ITEMS };
  const source = taskBatches(
    rows,
    { users, query: 30, order: 'random' },
    { length: model.length, batchSize, seed: 1, negatives },
  );
  let next = 0;
  return {
    async run(): Promise<number> {
      const batch = source.batch(1, next++ % Math.floor(users.length / batchSize));
      useKernels(compile);
      const start = performance.now();
      await step.run([batch], 1e-3);
      return performance.now() - start;
    },
    dispose() {
      step.dispose();
      store.dispose();
    },
  };
}

const backend = await selectBackend();
const models =
  positionals.length > 0
    ? await Promise.all(
        positionals.map(async (path) => [basename(path), restoreModel(await readCheckpoint(path))] as const),
      )
    : TIMED.map((preset) => [preset, untrained(preset)] as const);
const adapting = [];
for (const [name, restored] of models) {
  const adapter = modelAdapter(restored);
  const queries = histories(Number(flags.users), restored.catalogue.items.length - 1);
  adapting.push({ name, ...(await adaptationTimes(adapter, queries)) });
  adapter.dispose();
}
const learning = [];
for (const preset of LEARNERS) {
  const ours = training(preset, BATCH, true);
  const plain = training(preset, 1, false);
  const times: { ours: number[]; plain: number[] } = { ours: [], plain: [] };
  for (let n = 0; n < 3; n++) await Promise.all([await ours.run(), await plain.run()]);
  const until = performance.now() + Number(flags.seconds) * 1000;
  while (performance.now() < until || times.ours.length < 5) {
    times.ours.push(await ours.run());
    times.plain.push(await plain.run());
  }
  const [recorded, opByOp] = [(1000 * BATCH) / median(times.ours), 1000 / median(times.plain)];
  learning.push({ name: preset, recorded, opByOp, ratio: recorded / opByOp });
  ours.dispose();
  plain.dispose();
}
const machine = `${cpus()[0]?.model.trim()}, ${backend.version}, 1 thread`;
if (flags.json) console.log(JSON.stringify({ machine, events: EVENTS, adapting, learning }));
else {
  const first = adapting.map(
    (r) => `| ${r.name} | ${r.state.toLocaleString('en')} | ${r.p50.toFixed(2)} | ${r.p99.toFixed(2)} |`,
  );
  const second = learning.map(
    (r) => `| ${r.name} | ${r.recorded.toFixed(0)} | ${r.opByOp.toFixed(1)} | ${r.ratio.toFixed(1)} |`,
  );
  console.log(
    [
      machine,
      '',
      `| adapting to ${EVENTS} events | numbers of a state | ms, median | 99 % within |`,
      '| --- | ---: | ---: | ---: |',
      ...first,
      '',
      '| meta-training | tasks/s, recorded | tasks/s, op by op | ratio |',
      '| --- | ---: | ---: | ---: |',
      ...second,
    ].join('\n'),
  );
}
