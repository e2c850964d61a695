/**
 * Keeps what a pipeline run measured: one small file a model in bench/results/<board>/, named <model>-<seed>.json.
 *   npx tsx bench/record.ts runs/ml1m ml1m [the evaluation's stage, by default `evaluation`]
 * bench/tables.ts makes the pages' tables from these files.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { resultsSchema } from '../src/evaluation/results.js';
import { checkpointManifestSchema } from '../src/storage/manifest.js';

const interval = z.object({ mean: z.number(), low: z.number(), high: z.number() });

/** One model's figures on one board, from one training seed. Baselines, which have none, say seed 0. */
export const recordSchema = z.object({
  board: z.string(),
  row: z.string(),
  kind: z.enum(['model', 'baseline', 'external']),
  seed: z.number(),
  protocol: z.record(z.string(), z.unknown()),
  dataset: z.string(),
  metrics: z.record(z.string(), z.number()),
  intervals: z.record(z.string(), interval),
  /** Paired by user: this row minus others. */
  differences: z.array(z.object({ against: z.string(), 'ndcg@10': interval })),
  /** What it keeps of the evaluation's reference: of NDCG@10, of the weights beside the embeddings, of the bytes. */
  kept: z
    .object({ of: z.string(), quality: interval, weights: z.number().optional(), bytes: z.number() })
    .optional(),
  validation: z.record(z.string(), z.number()).optional(),
  parameters: z.number(),
  bytes: z.number(),
  milliseconds: z.number().optional(),
  /** Seconds the training stage ran, as its pipeline recorded them. */
  trainingSeconds: z.number().optional(),
  config: z.unknown(),
  versions: z.unknown().optional(),
  compute: z.unknown().optional(),
});
export type ResultRecord = z.output<typeof recordSchema>;

const stageSchema = z.object({
  inputs: z.object({ config: z.unknown() }),
  result: z.object({ path: z.string().optional(), seconds: z.number() }),
});
const METRICS = [
  'ndcg@10',
  'hr@10',
  'ndcg@20',
  'hr@20',
  'mrr@10',
  'ndcg@5',
  'hr@5',
  'coverage@10',
  'auc',
  'mrr',
];

const readJson = (...path: string[]): unknown => JSON.parse(readFileSync(join(...path), 'utf8'));

/** The records of one finished pipeline run. */
export function recordsOf(run: string, board: string, evaluation = 'evaluation'): ResultRecord[] {
  const results = resultsSchema.parse(readJson(run, evaluation, 'results.json'));
  const stages = (existsSync(join(run, '.pipeline')) ? readdirSync(join(run, '.pipeline')) : [])
    .map((name) => stageSchema.safeParse(readJson(run, '.pipeline', name)))
    .flatMap((parsed) => (parsed.success ? [parsed.data] : []));
  const { dataset, ...protocol } = results.protocol;
  return results.rows.map((row) => {
    const pick = <T>(all: Record<string, T>): Record<string, T> =>
      Object.fromEntries(METRICS.flatMap((m) => (all[m] === undefined ? [] : [[m, all[m]]])));
    const retention = results.retention?.find((r) => r.row === row.name);
    const kept = retention && {
      of: retention.reference,
      quality: retention.quality,
      ...(retention.weights === undefined ? {} : { weights: retention.weights }),
      bytes: retention.bytes,
    };
    const shared = {
      board,
      row: row.name,
      kind: row.kind,
      protocol,
      dataset,
      metrics: pick(row.metrics),
      intervals: pick(row.intervals),
      differences: results.differences
        .filter((d) => d.row === row.name)
        .map((d) => ({ against: d.against, 'ndcg@10': d.metrics['ndcg@10']! })),
      ...(kept ? { kept } : {}),
      parameters: row.parameters,
      bytes: row.bytes,
      ...(row.milliseconds === undefined ? {} : { milliseconds: row.milliseconds }),
    };
    if (row.path === undefined) return { ...shared, seed: 0, config: row.settings ?? {} };
    const manifest = checkpointManifestSchema.parse(readJson(row.path, 'manifest.json'));
    const stage = stages.find((s) => s.result.path === row.path);
    return {
      ...shared,
      seed: manifest.seed,
      validation: manifest.metrics,
      ...(stage ? { trainingSeconds: stage.result.seconds } : {}),
      config: stage ? stage.inputs.config : manifest.model.config,
      versions: manifest.versions,
      compute: manifest.compute,
    };
  });
}

if (import.meta.filename === process.argv[1]) {
  const [run, board, stage] = parseArgs({ allowPositionals: true }).positionals;
  if (run === undefined || board === undefined)
    throw new Error('usage: npx tsx bench/record.ts <run> <board> [stage]');
  const folder = join(import.meta.dirname, 'results', board);
  mkdirSync(folder, { recursive: true });
  for (const record of recordsOf(run, board, stage)) {
    const file = join(folder, `${record.row}-${record.seed}.json`);
    writeFileSync(file, `${JSON.stringify(withoutPaths(record), null, 1)}\n`);
    console.log(file);
  }
}

/** Paths are of the machine that ran it. */
function withoutPaths(record: ResultRecord): unknown {
  return JSON.parse(
    JSON.stringify(record, (_, v) => (typeof v === 'string' && v.startsWith('/') ? undefined : v)),
  );
}
