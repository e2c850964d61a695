/**
 * Wall time to a quality on MovieLens 1M: trains `sasrec-ce` for so many epochs through the command line, as a user would, and
 * then asks for its NDCG@10 on the test part. The seconds are the training stage's own: loading, recording, steps and, unless
 * --validate is 0, rankings of the validation part every so many epochs; preparing and evaluating are not counted.
 *   npx tsx bench/time-to-quality.ts --raw path/to/ml-1m [--epochs 20] [--length 200] [--validate 10] [--json]
 * Run it alone.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';

const ROOT = join(import.meta.dirname, '..');
const CONFIGS = join(ROOT, 'configs', 'movielens-1m');

const { values: flags } = parseArgs({
  options: {
    raw: { type: 'string' },
    epochs: { type: 'string', default: '20' },
    length: { type: 'string', default: '200' },
    validate: { type: 'string', default: '10' },
    json: { type: 'boolean', default: false },
  },
});
if (flags.raw === undefined) throw new Error('--raw names the folder with MovieLens 1M');

const resultSchema = z.object({
  path: z.string(),
  seconds: z.number(),
  rows: z.array(z.object({ metrics: z.record(z.string(), z.number()) })).optional(),
});

/** One stage, as in a shell; its progress goes to stderr. */
function recsys(...args: string[]): z.output<typeof resultSchema> {
  const out = execFileSync(process.execPath, [join(ROOT, 'bin', 'recsys.js'), ...args, '--json', '--quiet'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  return resultSchema.parse(JSON.parse(out));
}

const folder = mkdtempSync(join(tmpdir(), 'recsys-quality-'));
try {
  const data = recsys(
    'prepare',
    '-c',
    join(CONFIGS, 'prepare.yaml'),
    '--raw',
    flags.raw,
    '--out',
    join(folder, 'data'),
  );
  const every = flags.validate === '0' ? flags.epochs : flags.validate;
  const settings = [`epochs=${flags.epochs}`, `model.length=${flags.length}`, `validation.every=${every}`];
  const model = recsys(
    ...['pretrain', '-c', join(CONFIGS, 'pretrain-sasrec-ce.yaml'), '--data', data.path],
    ...['--out', join(folder, 'model'), ...settings.flatMap((one) => ['--set', one])],
  );
  const { rows } = recsys(
    ...['evaluate', '--data', data.path, '--model', model.path, '--out', join(folder, 'evaluation')],
    ...['--set', 'baselines=[]', '--set', 'latencyQueries=0'],
  );
  const result = {
    machine: `${cpus()[0]?.model.trim()}, ${cpus().length} cores`,
    length: Number(flags.length),
    epochs: Number(flags.epochs),
    seconds: Math.round(model.seconds),
    'ndcg@10': rows![0]!.metrics['ndcg@10']!,
  };
  console.log(
    flags.json
      ? JSON.stringify(result)
      : `${result.machine}: length ${result.length}, ${result.epochs} epochs in ${result.seconds} s, NDCG@10 ${result['ndcg@10'].toFixed(4)} on the test part`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
