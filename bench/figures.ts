/**
 * Puts an evaluation's figures into the pages that show them, between `<!-- figures -->` and `<!-- /figures -->`:
 *   npx tsx bench/figures.ts runs/ml100k/evaluation README.md bench/README.md
 * Without pages the table goes to stdout.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';

const interval = z.object({ mean: z.number(), low: z.number(), high: z.number() });
const results = z.object({
  rows: z.array(
    z.object({
      name: z.string(),
      kind: z.string(),
      intervals: z.record(z.string(), interval),
      parameters: z.number().optional(),
      bytes: z.number().optional(),
      milliseconds: z.number().nullish(),
    }),
  ),
  differences: z.array(
    z.object({ row: z.string(), against: z.string(), metrics: z.record(z.string(), interval) }),
  ),
});

const METRICS = ['ndcg@10', 'hr@10'] as const;
const four = (value: number): string =>
  value
    .toFixed(4)
    .replace(/^(-?)0/, '$1')
    .replace('-', '−');
const size = (bytes: number): string =>
  bytes < 1e6 ? `${Math.round(bytes / 1e3)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;

/** The comparison as a Markdown table, best values bold, and a line of paired differences. */
export function figures(source: unknown): string {
  const { rows, differences } = results.parse(source);
  const best = METRICS.map((metric) => Math.max(...rows.map((row) => row.intervals[metric]!.mean)));
  const cells = rows.map((row) => [
    row.name,
    ...METRICS.map((metric, at) => {
      const { mean, low, high } = row.intervals[metric]!;
      const shown = mean === best[at] ? `**${four(mean)}**` : four(mean);
      return `${shown} [${four(low)}, ${four(high)}]`;
    }),
    row.bytes === undefined ? '–' : size(row.bytes),
  ]);
  const head = ['model', 'NDCG@10', 'HR@10', 'size'];
  const width = head.map((name, at) => Math.max(name.length, ...cells.map((row) => row[at]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, at) => (at === 0 ? cell.padEnd(width[at]!) : cell.padStart(width[at]!))).join(' | ')} |`;
  const rule = `| ${width.map((w, at) => (at === 0 ? '-'.repeat(w) : `${'-'.repeat(w - 1)}:`)).join(' | ')} |`;
  const paired = differences.map(({ row, against, metrics }) => {
    const { mean, low, high } = metrics['ndcg@10']!;
    return `${row} − ${against} ${mean < 0 ? '' : '+'}${four(mean)} [${four(low)}, ${four(high)}]`;
  });
  const last = paired.length === 0 ? [] : ['', `NDCG@10, paired by user: ${paired.join('; ')}.`];
  return [line(head), rule, ...cells.map(line), ...last].join('\n');
}

/** A page with its figures replaced. */
export function withFigures(page: string, table: string): string {
  const marked = /<!-- figures -->\n[\s\S]*?<!-- \/figures -->/;
  if (!marked.test(page)) throw new Error('the page has no <!-- figures --> … <!-- /figures -->');
  return page.replace(marked, () => `<!-- figures -->\n\n${table}\n\n<!-- /figures -->`);
}

if (import.meta.filename === process.argv[1]) {
  const [evaluation, ...pages] = parseArgs({ allowPositionals: true }).positionals;
  if (evaluation === undefined) throw new Error('usage: npx tsx bench/figures.ts <evaluation> [page …]');
  const table = figures(JSON.parse(readFileSync(join(evaluation, 'results.json'), 'utf8')));
  if (pages.length === 0) process.stdout.write(`${table}\n`);
  for (const page of pages) writeFileSync(page, withFigures(readFileSync(page, 'utf8'), table));
}
