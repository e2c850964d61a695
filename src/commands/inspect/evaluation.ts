import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { z } from 'zod';
import { RecsysError } from '../../errors.js';
import { type Results, resultsSchema } from '../../evaluation/results.js';
import { type Cell, renderTable } from '../../report/table.js';
import { fileRecordsSchema, peekManifest } from '../../storage/manifest.js';
import type { StageContext } from '../../types.js';
import { attackTable } from '../attack-view.js';
import { type Explanation, verified } from './explanation.js';

const manifestSchema = z.object({ kind: z.literal('evaluation'), files: fileRecordsSchema });

/** Metrics shown in the table, as far as they were measured; `--json` has all. */
const SHOWN = ['ndcg@10', 'hr@10', 'recall@10', 'mrr@10', 'auc', 'logloss', 'rmse', 'mae', 'coverage@10'];

export async function explainEvaluation(dir: string, context: StageContext): Promise<Explanation> {
  const manifest = manifestSchema.safeParse((await peekManifest(dir))?.value);
  const files = manifest.success
    ? await verified(dir, manifest.data.files, 'DATASET_DAMAGED', context)
    : undefined;
  const results = await readResults(join(dir, 'results.json'));
  const attacks = attackTable(results);
  return {
    kind: 'evaluation',
    summary: `Evaluation of ${results.rows.length} rows on dataset ${results.dataset.name}`,
    sections: [
      { title: 'Results', body: resultsTable(results) },
      ...(attacks ? [{ title: 'Under attack', body: renderTable(attacks) }] : []),
      { title: 'Protocol', body: stringify(results.protocol).trimEnd() },
      {
        title: 'Rows from',
        body: results.rows.flatMap((row) => (row.path === undefined ? [] : [[row.name, row.path] as const])),
      },
      { title: 'Left out', body: results.skipped.map(({ name, reason }) => [name, reason] as const) },
      files ?? { title: 'Files', body: 'no manifest.json: nothing to verify them with' },
    ],
    facts: { results, verified: manifest.success },
  };
}

async function readResults(path: string): Promise<Results> {
  try {
    return resultsSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    throw new RecsysError('DATA_UNREADABLE', `${path} is not the result of an evaluation`, {
      remedy: 'Run `recsys evaluate` again.',
      cause: error,
    });
  }
}

function resultsTable({ rows }: Results): string {
  const metrics = SHOWN.filter((name) => rows.some((row) => row.metrics[name] !== undefined));
  const lower = new Set(['logloss', 'rmse', 'mae']);
  return renderTable({
    columns: [
      'name',
      ...metrics.map((name) => ({
        name,
        better: lower.has(name) ? ('lower' as const) : ('higher' as const),
      })),
      { name: 'size', format: 'bytes' },
      { name: 'per request', format: 'milliseconds' },
    ],
    rows: rows.map((row) => [
      row.name,
      ...metrics.map((name, index): Cell => {
        const value = row.metrics[name];
        const around = row.intervals[name];
        if (value === undefined) return null;
        return index === 0 && around !== undefined ? { value, low: around.low, high: around.high } : value;
      }),
      row.bytes,
      row.milliseconds ?? null,
    ]),
  });
}
