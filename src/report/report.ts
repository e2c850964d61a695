import { join } from 'node:path';
import { stringify as stringifyYaml } from 'yaml';
import { writeFileAtomic } from '../storage/atomic.js';
import type { CheckpointManifest } from '../storage/manifest.js';
import { curveSpec, groupCurves, POSITION } from './curves.js';
import { escapeHtml, formatBytes, formatCount, formatMetric, formatQuantity } from './format.js';
import { lineageSvg } from './lineage.js';
import type { MetricsRow } from './metrics-log.js';
import { drawPlot, type PlotSpec } from './plot.js';
import { STYLE } from './style.js';
import { type Table, tableToHtml } from './table.js';

export interface ReportContent {
  readonly title: string;
  /** What it is, in a sentence or two; made from the manifest where absent. */
  readonly description?: string;
  /** The checkpoint reported on; absent for a report of several (a pipeline, an evaluation). */
  readonly manifest?: CheckpointManifest;
  /** Rows `{epoch, name: value}` as in metrics.jsonl. */
  readonly metricsHistory?: readonly MetricsRow[];
  readonly comparison?: Table;
  /** A line under the comparison: what an interval is, on which test set. */
  readonly comparisonNote?: string;
  /** More tables, some with a line above them. */
  readonly further?: readonly { readonly title: string; readonly note?: string; readonly table: Table }[];
  /** Further Vega-Lite plots, data inline. */
  readonly plots?: readonly PlotSpec[];
  /** The resolved config; the model's own where absent. */
  readonly config?: unknown;
}

const STAGES: Readonly<Record<string, string>> = {
  pretrain: 'A teacher',
  distill: 'A student, distilled from its teacher',
  finetune: 'A fine-tuned model',
  compress: 'A compressed model',
  'serve-online': 'A model that went on learning while it served',
};

function describe({ stage, model, dataset }: CheckpointManifest): string {
  const what = STAGES[stage] ?? `A checkpoint of ${stage}`;
  const data = dataset.name ?? dataset.path;
  return `${what}: model ${model.name} with ${formatCount(model.parameters)} parameters, trained on ${data}.`;
}

/** Figures shown large: ranking quality first, then whatever else was measured. */
function headline(metrics: Readonly<Record<string, number>>): [string, number][] {
  const order = [/ndcg@10$/, /hr@10$/, /ndcg/, /hr@|recall|mrr|map/, /auc|accuracy/, /rmse|mae/, /loss/, /./];
  const rank = (name: string) => order.findIndex((pattern) => pattern.test(name));
  const entries = Object.entries(metrics).filter(([name]) => !POSITION.has(name));
  return entries.sort(([a], [b]) => rank(a) - rank(b)).slice(0, 4);
}

function tiles(manifest: CheckpointManifest): string {
  const figures: [string, string][] = headline(manifest.metrics).map(([name, value]) => [
    formatMetric(value),
    name,
  ]);
  figures.push(
    [formatCount(manifest.model.parameters), 'parameters'],
    [formatBytes(manifest.model.bytes), 'weights'],
  );
  const items = figures.map(
    ([value, name]) => `<li><b>${escapeHtml(value)}</b><span>${escapeHtml(name)}</span></li>`,
  );
  return `<ul class="tiles">${items.join('')}</ul>`;
}

function environment({ versions, compute, seed, dataset, createdAt }: CheckpointManifest): string {
  const rows: [string, string][] = [
    ['written', createdAt],
    ['machine', compute.machine],
    ['backend', `${compute.backend} on ${compute.device}, ${formatQuantity(compute.threads, 'thread')}`],
    ['recsys', versions.recsys],
    ['Node.js', versions.node],
    ['TensorFlow.js', versions.tfjs],
    ...(versions.libtensorflow === undefined
      ? []
      : ([['libtensorflow', versions.libtensorflow]] as [string, string][])),
    ['seed', String(seed)],
    ['dataset', dataset.path],
    ['dataset fingerprint', dataset.fingerprint],
    ['test set', dataset.testSetHash],
  ];
  return `<dl>${rows.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`).join('')}</dl>`;
}

const section = (title: string, body: string) =>
  body === '' ? '' : `<section><h2>${title}</h2>\n${body}</section>\n`;

async function plots(specs: readonly PlotSpec[]): Promise<string> {
  const figures: string[] = [];
  for (const spec of specs) figures.push(`<figure>${await drawPlot(spec)}</figure>`);
  return figures.length === 0 ? '' : `<div class="plots">${figures.join('\n')}</div>`;
}

/** The report as one HTML page: no script, nothing loaded from elsewhere, light and dark. */
export async function renderReport(content: ReportContent): Promise<string> {
  const { title, manifest, metricsHistory = [], comparison } = content;
  const lead = content.description ?? (manifest === undefined ? '' : describe(manifest));
  const noted = (note: string | undefined, table: Table): string =>
    `${note === undefined ? '' : `<p class="lead">${escapeHtml(note)}</p>`}${tableToHtml(table)}`;
  const config = content.config ?? manifest?.model.config;
  const curves = groupCurves(metricsHistory).map((group) => curveSpec(group, metricsHistory));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<header>
<h1>${escapeHtml(title)}</h1>
${lead === '' ? '' : `<p class="lead">${escapeHtml(lead)}</p>`}
${manifest === undefined ? '' : tiles(manifest)}
</header>
${section('Comparison', comparison === undefined ? '' : noted(content.comparisonNote, comparison))}
${(content.further ?? []).map(({ title, note, table }) => section(escapeHtml(title), noted(note, table))).join('')}
${section('Training', await plots(curves))}
${section('Plots', await plots(content.plots ?? []))}
${section('Lineage', manifest === undefined ? '' : lineageSvg(manifest))}
${section('Configuration', config === undefined ? '' : `<pre>${escapeHtml(stringifyYaml(config))}</pre>`)}
${section('Environment', manifest === undefined ? '' : environment(manifest))}
<footer>Written by recsys${manifest === undefined ? '' : ` ${escapeHtml(manifest.versions.recsys)}`}.</footer>
</main>
</body>
</html>
`;
}

/**
 * Writes `report.html` into a directory. In a checkpoint it comes after `writeCheckpoint` (whose manifest it shows) and
 * before `sealCheckpoint` (which records it).
 * @returns the file's path
 * @throws DISK
 */
export async function writeReport(dir: string, content: ReportContent): Promise<string> {
  const path = join(dir, 'report.html');
  await writeFileAtomic(path, await renderReport(content));
  return path;
}
