/**
 * Time of one training step: ours recorded as a graph, in float32 and in bfloat16, plain tfjs op by op, and the PyTorch twin with
 * scaled_dot_product_attention; alternating in one run, so that what else the machine does falls on all alike.
 *   npm run bench:train-step [-- --json] [--steps 8] [--python <one that has torch>]
 * The step: a causal transformer of 2 blocks over random sequences of 3,416 items, sampled softmax with 1,024 shared
 * negatives, Adam, gradient norm clipped; with dropout .2 (attention weights included) and without. Ratios are what to
 * quote; the milliseconds hold for the machine they were taken on. A Python with torch comes from, say:
 *   python3 -m venv /tmp/twin && /tmp/twin/bin/pip install torch
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { useKernels } from '../src/compute/ops/kernel.js';
import { selectBackend } from '../src/compute/select.js';
import { buildStep, median, NEGATIVES, randomBatch } from './step.js';
import { Twin } from './twin.js';

const ITEMS = 3416;
const SHAPES = [
  { batch: 128, length: 50, width: 64 },
  { batch: 128, length: 200, width: 64 },
  { batch: 64, length: 200, width: 128 },
] as const;

/** What is divided by what. `ours bfloat16` is float32 on processors without instructions for it. */
const RATIOS = [
  ['ours', 'tfjs'],
  ['ours', 'torch'],
  ['ours bfloat16', 'torch'],
  ['ours bfloat16', 'torch bfloat16'],
] as const;

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    steps: { type: 'string', default: '8' },
    python: { type: 'string' },
  },
});

const backend = await selectBackend('tensorflow');
const twin =
  flags.python === undefined ? undefined : await Twin.start(flags.python, backend.threads, backend.device);
const rows = [];
for (const shape of SHAPES) {
  for (const dropout of [0.2, 0]) {
    const batch = randomBatch(shape, ITEMS);
    const plain = buildStep(shape, { items: ITEMS, dropout, compile: false });
    const recorded = buildStep(shape, { items: ITEMS, dropout, compile: true });
    const rounded = buildStep(shape, { items: ITEMS, dropout, compile: true, precision: 'bfloat16' });
    const torch = { ...shape, negatives: NEGATIVES, items: ITEMS, dropout };
    const timed = async (work: () => Promise<unknown>): Promise<number> => {
      const start = performance.now();
      await work();
      return performance.now() - start;
    };
    const contenders: Record<string, () => Promise<number>> = {
      ours: () => timed(() => recorded.step.run([batch], 1e-3)),
      'ours bfloat16': () => timed(() => rounded.step.run([batch], 1e-3)),
      tfjs: async () => {
        useKernels(false);
        const ms = await timed(() => plain.step.run([batch], 1e-3));
        useKernels(true);
        return ms;
      },
      ...(twin
        ? {
            torch: () => twin.step({ ...torch, bfloat16: false }),
            'torch bfloat16': () => twin.step({ ...torch, bfloat16: true }),
          }
        : {}),
    };
    const times = Object.fromEntries(Object.keys(contenders).map((name) => [name, [] as number[]]));
    for (let n = 0; n <= Number(flags.steps); n++) {
      for (const [name, run] of Object.entries(contenders)) {
        const ms = await run();
        if (n > 0) times[name]!.push(ms);
      }
    }
    plain.dispose();
    recorded.dispose();
    rounded.dispose();
    twin?.forget();
    const ms = Object.fromEntries(Object.entries(times).map(([name, all]) => [name, median(all)]));
    rows.push({
      shape: `${shape.batch} × ${shape.length} × ${shape.width}`,
      dropout,
      ms,
      ratio: Object.fromEntries(
        RATIOS.filter((pair) => pair.every((name) => name in ms)).map(([one, other]) => [
          `${one} / ${other}`,
          ms[one]! / ms[other]!,
        ]),
      ),
    });
  }
}
twin?.stop();
const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, ${backend.version}, ${backend.threads} threads${twin ? `, PyTorch ${twin.version}` : ''}`;
if (flags.json) console.log(JSON.stringify({ machine, rows }));
else {
  const names = Object.keys(rows[0]!.ms);
  const ratios = Object.keys(rows[0]!.ratio);
  const columns = ['batch × length × width', 'dropout', ...names.map((n) => `${n} ms`), ...ratios];
  const cells = rows.map((r) => [
    r.shape,
    String(r.dropout),
    ...names.map((n) => r.ms[n]!.toFixed(1)),
    ...ratios.map((n) => r.ratio[n]!.toFixed(2)),
  ]);
  const lines = [columns, columns.map(() => '---'), ...cells].map((line) => `| ${line.join(' | ')} |`);
  console.log(`${machine}\n\n${lines.join('\n')}`);
}
