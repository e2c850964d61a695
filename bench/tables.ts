/**
 * Makes the tables of the README, bench/README.md and docs/scenarios from bench/results: each stands between `<!-- board: <name> -->` and
 * `<!-- /board -->`. Published rows, with their source, come from bench/published.json.
 *   npx tsx bench/tables.ts [README.md …]
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { bracketed, four, type Measured, mean, over } from './figures.js';
import { changePages, PAGES } from './pages.js';
import { type ResultRecord, recordSchema } from './record.js';

const publishedSchema = z.record(
  z.string(),
  z.object({
    title: z.string(),
    source: z.string(),
    rows: z.array(z.object({ row: z.string(), 'hr@10': z.number().optional(), 'ndcg@10': z.number() })),
  }),
);

const size = (bytes: number): string =>
  bytes < 1e6 ? `${Math.round(bytes / 1e3)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
const deviation = (values: readonly number[]): number =>
  Math.sqrt(values.reduce((sum, v) => sum + (v - mean(values)) ** 2, 0) / (values.length - 1));

function readBoard(board: string): ResultRecord[] {
  const folder = join(import.meta.dirname, 'results', board);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => recordSchema.parse(JSON.parse(readFileSync(join(folder, name), 'utf8'))));
}

interface Line {
  readonly cells: readonly string[];
  /** The first metric of the board, by which its lines are sorted. */
  readonly leading: number;
}

/** What a board shows: of rankings of the catalogue, or of what impressions showed. */
function shownMetrics([first]: readonly ResultRecord[]): readonly [string, ...string[]] {
  return first!.protocol.impressions === undefined
    ? ['ndcg@10', 'hr@10']
    : ['auc', 'mrr', 'ndcg@5', 'ndcg@10'];
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** What a model keeps of the board's reference: means over its seeds, and the widest interval of its quality. */
function keptCells(records: readonly ResultRecord[]): string[] {
  const kept = records.flatMap((r) => (r.kept ? [r.kept] : []));
  if (kept.length === 0) return ['–', '–', '–'];
  const quality = over(kept.map((k) => k.quality));
  const weights = kept.flatMap((k) => (k.weights === undefined ? [] : [k.weights]));
  return [
    `${percent(quality.mean)} [${percent(quality.low)}, ${percent(quality.high)}]`,
    weights.length === 0 ? '–' : percent(mean(weights)),
    percent(mean(kept.map((k) => k.bytes))),
  ];
}

/** Rows of one model: mean and spread over its seeds, the widest of their intervals; `keeps`: beside what it keeps. */
function line(row: string, records: readonly ResultRecord[], keeps: boolean): Line {
  const [leading, ...others] = shownMetrics(records);
  const values = records.map((r) => r.metrics[leading]!);
  const { low, high } = over(records.map((r) => r.intervals[leading]!));
  const spread = values.length > 1 ? ` ± ${four(deviation(values))}` : '';
  return {
    leading: mean(values),
    cells: [
      row,
      String(records[0]!.kind === 'model' ? records.length : '–'),
      `${four(mean(values))}${spread} [${four(low)}, ${four(high)}]`,
      ...others.map((metric) => four(mean(records.map((r) => r.metrics[metric]!)))),
      size(records[0]!.bytes),
      ...(keeps ? keptCells(records) : []),
    ],
  };
}

/** Differences by model and what it is compared with: the mean over seeds, and the widest interval. */
function pairedDifferences(records: readonly ResultRecord[]): string[] {
  const groups = new Map<string, Measured[]>();
  for (const { row, kind, differences } of records) {
    if (kind !== 'model') continue;
    for (const { against, 'ndcg@10': d } of differences) {
      const name = `${row} − ${against}`;
      groups.set(name, [...(groups.get(name) ?? []), d]);
    }
  }
  return [...groups].map(([name, all]) => {
    const difference = over(all);
    return `${name} ${difference.mean < 0 ? '' : '+'}${bracketed(difference)}`;
  });
}

/** One board as a Markdown table: ours and the published rows, by NDCG@10. */
export function boardTable(board: string): string {
  const records = readBoard(board);
  if (records.length === 0) throw new Error(`bench/results/${board} has no record`);
  const all = publishedSchema.parse(
    JSON.parse(readFileSync(join(import.meta.dirname, 'published.json'), 'utf8')),
  );
  const published = all[board];
  const names = [...new Set(records.map((r) => r.row))];
  const reference = records.find((r) => r.kept)?.kept?.of;
  const ours = names.map((name) => {
    const own = records.filter((r) => r.row === name);
    return line(name, own, reference !== undefined);
  });
  const theirs = (published?.rows ?? []).map((r) => ({
    leading: r['ndcg@10'],
    cells: [
      `*${r.row}*`,
      '',
      four(r['ndcg@10']),
      r['hr@10'] === undefined ? '–' : four(r['hr@10']),
      '–',
      ...(reference ? ['', '', ''] : []),
    ],
  }));
  const lines = [...ours, ...theirs].sort((a, b) => a.leading - b.leading);
  const metrics = shownMetrics(records).map((metric) => metric.toUpperCase());
  const head = ['model', 'seeds', ...metrics, 'size'];
  if (reference) head.push(`kept of ${reference}`, 'weights beside embeddings', 'bytes');
  const rule = head.map((_, i) => (i === 0 ? '---' : '---:'));
  const table = [head, rule, ...lines.map((l) => l.cells)].map((cells) => `| ${cells.join(' | ')} |`);
  const paired = pairedDifferences(records);
  const notes = [
    ...(published ? [`*Published rows*: ${published.source}.`] : []),
    ...(paired.length > 0
      ? [
          `NDCG@10, paired by ${metrics[0] === 'AUC' ? 'impression' : 'user'} (mean over seeds, widest interval): ${paired.join('; ')}.`,
        ]
      : []),
  ];
  return [...table, ...notes.flatMap((note) => ['', note])].join('\n');
}

/** A page with the tables of all boards it names. */
export function withTables(page: string): string {
  return page.replace(
    /<!-- board: (\S+) -->\n[\s\S]*?<!-- \/board -->/g,
    (_, board: string) => `<!-- board: ${board} -->\n\n${boardTable(board)}\n\n<!-- /board -->`,
  );
}

if (import.meta.filename === process.argv[1]) {
  const { positionals } = parseArgs({ allowPositionals: true });
  changePages(positionals.length > 0 ? positionals : PAGES, withTables);
}
