/**
 * Milliseconds of one request in process: scores of all items after a history of 50 events, and the ten best of them that are not in it.
 *   npm run bench:request [-- --json] [--items 3416] [--requests 300] [checkpoint …]
 * Without checkpoints the models of configs/movielens-1m, untrained: what the weights are changes no time. All take turns in one run,
 * on one thread of the best backend there is.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { selectBackend } from '../src/compute/select.js';
import { topK } from '../src/compute/topk.js';
import { createModel, type ModelConfig, modelSchema } from '../src/model/registry.js';
import { type RestoredModel, restoreModel } from '../src/model/restore.js';
import { modelScorer } from '../src/model/scorer.js';
import { countWeights } from '../src/model/weights.js';
import { Random } from '../src/random.js';
import { readCheckpoint } from '../src/storage/checkpoint.js';
import type { Catalogue, FeatureTable, Query } from '../src/types.js';
import { median } from './step.js';

// Read when the backend is loaded.
process.env.TF_NUM_INTRAOP_THREADS = '1';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    items: { type: 'string', default: '3416' },
    requests: { type: 'string', default: '300' },
  },
});
const HISTORY = 50;
const items = Number(flags.items);

function untrained(config: ModelConfig): RestoredModel {
  const features = (rows: number): FeatureTable => ({
    ...{ rows, width: 0, tokens: new Int32Array(0), tokenNames: [''] },
    ...{ numbers: new Float32Array(0), numberNames: [] },
  });
  const ids = Array.from({ length: items + 1 }, (_, i) => (i === 0 ? '' : `i${i}`));
  const catalogue: Catalogue = {
    ...{ users: ['', 'u'], items: ids, behaviours: ['rating'], titles: ids.map(() => '') },
    ...{ itemFeatures: features(items + 1), userFeatures: features(2) },
    itemCounts: new Float32Array(items + 1),
  };
  const model = createModel(config, catalogue);
  return { model, config, catalogue, inits: model.init(new Random(1)) };
}

const MODELS: readonly (readonly [string, string, 'model' | 'student'])[] = [
  ['teacher', 'pretrain-teacher.yaml', 'model'],
  ['student', 'distill-student.yaml', 'student'],
  ['linear', 'distill-linear.yaml', 'student'],
  ['sparse-linear', 'distill-sparse-linear.yaml', 'student'],
];

async function contenders(): Promise<(readonly [string, RestoredModel])[]> {
  if (positionals.length > 0)
    return Promise.all(
      positionals.map(async (path) => [basename(path), restoreModel(await readCheckpoint(path))] as const),
    );
  const folder = join(import.meta.dirname, '..', 'configs', 'movielens-1m');
  return MODELS.map(([name, file, key]) => {
    const settings: Record<string, unknown> = parse(readFileSync(join(folder, file), 'utf8'));
    return [name, untrained(modelSchema.parse(settings[key]))] as const;
  });
}

const backend = await selectBackend();
const timed = (await contenders()).map(([name, restored]) => ({
  name,
  columns: restored.catalogue.items.length,
  parameters: countWeights(restored.inits),
  scorer: modelScorer(restored, name),
  ms: [] as number[],
}));
const rng = new Random(7);
for (let n = -5; n < Number(flags.requests); n++) {
  for (const { scorer, columns, ms } of timed) {
    const history = Int32Array.from({ length: HISTORY }, () => 1 + rng.int(columns - 1));
    const query: Query = { user: 0, items: history, behaviours: new Uint8Array(HISTORY) };
    const start = performance.now();
    const scores = await scorer.score([query]);
    topK(scores, 0, columns, 10, new Set(history));
    if (n >= 0) ms.push(performance.now() - start);
  }
}
const rows = timed.map(({ name, parameters, ms }) => ({
  name,
  parameters,
  ms: median(ms),
  p99: ms.sort((a, b) => a - b)[Math.floor(0.99 * ms.length)]!,
}));
for (const { scorer } of timed) scorer.dispose();
const machine = `${cpus()[0]?.model.trim()}, ${backend.version}, 1 thread`;
if (flags.json) console.log(JSON.stringify({ machine, history: HISTORY, rows }));
else {
  const lines = rows.map(
    (r) => `| ${r.name} | ${r.parameters.toLocaleString('en')} | ${r.ms.toFixed(2)} | ${r.p99.toFixed(2)} |`,
  );
  console.log(
    `${machine}\n\n| model | parameters | ms a request | 99 % within |\n| --- | ---: | ---: | ---: |\n${lines.join('\n')}`,
  );
}
