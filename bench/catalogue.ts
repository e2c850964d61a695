/**
 * Time of one training step against the size of the catalogue: a step should cost by its batch. Alternating in one run.
 *   npm run bench:catalogue [-- --json] [--steps 10]
 * The step is that of bench:train-step at 128 × 50 × 64, with sampled softmax over 1,024 shared negatives.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { selectBackend } from '../src/compute/select.js';
import { buildStep, median, randomBatch } from './step.js';

const SHAPE = { batch: 128, length: 50, width: 64 };
const SIZES = [10_000, 100_000, 1_000_000];

const { values: flags } = parseArgs({
  options: { json: { type: 'boolean', default: false }, steps: { type: 'string', default: '10' } },
});
const backend = await selectBackend('tensorflow');
const contenders = SIZES.map((items) => ({
  items,
  batch: randomBatch(SHAPE, items),
  ...buildStep(SHAPE, { items, dropout: 0.2, compile: true }),
  ms: [] as number[],
}));
for (let n = 0; n <= Number(flags.steps); n++) {
  for (const { step, batch, ms } of contenders) {
    const start = performance.now();
    await step.run([batch], 1e-3);
    if (n > 0) ms.push(performance.now() - start);
  }
}
const rows = contenders.map(({ items, ms }) => ({
  items,
  ms: median(ms),
  ratio: median(ms) / median(contenders[0]!.ms),
}));
const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, ${backend.version}, ${backend.threads} threads`;
if (flags.json) console.log(JSON.stringify({ machine, rows }));
else {
  const lines = rows.map(
    (r) => `| ${r.items.toLocaleString('en')} | ${r.ms.toFixed(1)} | ${r.ratio.toFixed(2)} |`,
  );
  console.log(
    `${machine}\n\n| items | ms a step | of the smallest |\n| --- | --- | --- |\n${lines.join('\n')}`,
  );
}
