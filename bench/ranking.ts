/**
 * Seconds to rank a dataset's test part in full: every user's unseen items scored, the metrics taken. Loading is told apart, and the
 * first ranking, in which the functions of the batches' lengths are recorded, from the next ones.
 *   npx tsx bench/ranking.ts --data runs/ml1m/dataset [--times 3] [--json] checkpoint …
 * Run it alone.
 */
import { cpus } from 'node:os';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { selectBackend } from '../src/compute/select.js';
import { readDataset } from '../src/data/read.js';
import { ask } from '../src/evaluation/contender.js';
import { evaluateSchema } from '../src/evaluation/schema.js';
import { evaluationTask } from '../src/evaluation/task.js';
import { restoreModel } from '../src/model/restore.js';
import { modelScorer } from '../src/model/scorer.js';
import { readCheckpoint } from '../src/storage/checkpoint.js';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    data: { type: 'string' },
    times: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
});
if (flags.data === undefined || positionals.length === 0)
  throw new Error('--data names a prepared dataset, and checkpoints stand after it');

const context = { signal: new AbortController().signal, progress: () => {}, log: () => {} };
const secondsOf = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now();
  await work();
  return Math.round(performance.now() - start) / 1000;
};

await selectBackend();
const dataset = await readDataset(flags.data);
const task = evaluationTask(dataset, { ...evaluateSchema.parse({ data: flags.data }), seed: 42 });
const rows: { model: string; users: number; items: number; loading: number; rankings: number[] }[] = [];
for (const path of positionals) {
  const start = performance.now();
  const scorer = modelScorer(restoreModel(await readCheckpoint(path)), basename(path));
  const loading = Math.round(performance.now() - start) / 1000;
  const rankings: number[] = [];
  for (let n = 0; n < Number(flags.times); n++)
    rankings.push(await secondsOf(() => ask(scorer, task, context)));
  scorer.dispose();
  rows.push({
    model: basename(path),
    users: task.evaluation.queries.length,
    items: task.protocol.catalogue,
    loading,
    rankings,
  });
}
const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores`;
if (flags.json) console.log(JSON.stringify({ machine, rows }));
else {
  console.log(machine);
  for (const { model, users, items, loading, rankings } of rows)
    console.log(
      `${model}: ${users} users, ${items} items; loading ${loading} s, rankings ${rankings.join(', ')} s`,
    );
}
