/**
 * Keeps a cold-start evaluation beside the others' results, and makes the table of bench/README.md between `<!-- cold: <name> -->` and
 * `<!-- /cold -->` from all that are kept.
 *   npx tsx bench/cold-table.ts <evaluation directory> <name>
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ColdResults, coldResultsSchema } from '../src/evaluation/cold/results.js';

const METRICS = ['ndcg@1', 'ndcg@3', 'ndcg_linear@1', 'ndcg_linear@3'];
const [directory, name = 'ml1m-cold'] = process.argv.slice(2);
const folder = join(import.meta.dirname, 'results-cold', name);
const read = (file: string): ColdResults => coldResultsSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
mkdirSync(folder, { recursive: true });
if (directory) {
  const { dataset, adaptation: _, seconds: __, ...kept } = read(join(directory, 'results.json'));
  const { name: title, fingerprint } = dataset;
  const shown = (metrics: ColdResults['scenarios'][number]['rows'][number]['metrics']) =>
    Object.fromEntries(['mae', ...METRICS].map((metric) => [metric, metrics[metric]!]));
  const whole = {
    ...kept,
    scenarios: kept.scenarios.map((scenario) => ({
      ...scenario,
      rows: scenario.rows.map(({ metrics, difference, ...row }) => ({
        ...row,
        metrics: shown(metrics),
        ...(difference ? { difference: { mae: difference.mae! } } : {}),
      })),
    })),
    dataset: { path: title, name: title, fingerprint },
    adaptation: [],
    seconds: 0,
  };
  const rounded = (_: string, v: unknown) => (typeof v === 'number' ? Number(v.toPrecision(5)) : v);
  writeFileSync(join(folder, `${kept.seed}.json`), `${JSON.stringify(whole, rounded)}\n`);
}
const runs = readdirSync(folder)
  .sort()
  .map((file) => read(join(folder, file)));
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const four = (value: number): string => value.toFixed(4).replace(/^0/, '');

const lines = [
  '| scenario | model | seeds | MAE | NDCG@1 | NDCG@3 | linear NDCG@1 | linear NDCG@3 |',
  '| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |',
];
for (const { users, items, rows } of runs[0]!.scenarios) {
  const title = `${items} films → ${users} users`;
  const of = (row: string) =>
    runs.flatMap((run) =>
      run.scenarios
        .filter((s) => s.users === users && s.items === items)
        .flatMap((s) => s.rows.filter((r) => r.name === row && r.support === 'all')),
    );
  const found = rows
    .filter((row) => row.support === 'all' && row.kind !== 'unadapted')
    .map((row) => of(row.name))
    .map((same) => ({ same, mae: mean(same.map((r) => r.metrics.mae!.mean)) }))
    .sort((a, b) => b.mae - a.mae);
  for (const one of runs[0]!.published.filter((p) => p.users === users && p.items === items)) {
    const figures = ['mae', ...METRICS].map((m) =>
      one.metrics[m] === undefined ? '–' : four(one.metrics[m]!),
    );
    lines.push(`| ${title} | *${one.name}* | | ${figures.join(' | ')} |`);
  }
  for (const { same, mae } of found) {
    const low = Math.min(...same.map((r) => r.metrics.mae!.low));
    const high = Math.max(...same.map((r) => r.metrics.mae!.high));
    const figures = METRICS.map((m) => four(mean(same.map((r) => r.metrics[m]!.mean))));
    lines.push(
      `| ${title} | ${same[0]!.name} | ${same.length} | ${four(mae)} [${four(low)}, ${four(high)}] | ${figures.join(' | ')} |`,
    );
  }
}
const page = join(import.meta.dirname, 'README.md');
const block = new RegExp(`(<!-- cold: ${name} -->\n)[\\s\\S]*?(\n<!-- /cold -->)`);
writeFileSync(page, readFileSync(page, 'utf8').replace(block, `$1\n${lines.join('\n')}\n$2`));
