/**
 * Memory of the process over many recorded steps: it should stay where it is after the first few hundred.
 *   npx tsx bench/memory.ts [--steps 5000] [--json]
 */
import { parseArgs } from 'node:util';
import { selectBackend } from '../src/compute/select.js';
import { buildStep, randomBatch } from './step.js';

const { values: flags } = parseArgs({
  options: { json: { type: 'boolean', default: false }, steps: { type: 'string', default: '5000' } },
});
const total = Number(flags.steps);
await selectBackend('tensorflow');
const shape = { batch: 16, length: 50, width: 32 };
const { step } = buildStep(shape, { items: 3416, dropout: 0.2, compile: true });
const batch = randomBatch(shape, 3416);
const rows: { step: number; mebibytes: number }[] = [];
for (let n = 1; n <= total; n++) {
  await step.run([batch], 1e-3);
  if (n === Math.floor(total / 10) || n % Math.floor(total / 5) === 0)
    rows.push({ step: n, mebibytes: process.memoryUsage().rss / 2 ** 20 });
}
if (flags.json) console.log(JSON.stringify({ rows }));
else for (const row of rows) console.log(`${row.step}\t${row.mebibytes.toFixed(0)} MiB`);
