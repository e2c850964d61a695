/**
 * Keeps the simulated interviews of a seed beside the others', and makes the table of bench/README.md between `<!-- elicit: <name> -->`
 * and `<!-- /elicit -->` from all that are kept.
 *   npx tsx bench/elicit-table.ts <directory of recsys elicit> <seed> [name]
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ElicitationResults, elicitationSchema } from '../src/evaluation/elicitation/results.js';
import { bracketed, mean, over } from './figures.js';

const [directory, seed = '42', name = 'ml1m-elicit'] = process.argv.slice(2);
const folder = join(import.meta.dirname, 'results-cold', name);
const read = (file: string): ElicitationResults =>
  elicitationSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
mkdirSync(folder, { recursive: true });
if (directory) {
  const { dataset, seconds: _, tree: __, ...kept } = read(join(directory, 'elicitation.json'));
  const { name: title, fingerprint } = dataset;
  const only = <T>({ mae }: Readonly<Record<string, T>>): Record<string, T> => ({ mae: mae! });
  const interviews = kept.interviews && {
    ...kept.interviews,
    rows: kept.interviews.rows.map(({ metrics, difference, ...row }) => ({
      ...{ ...row, metrics: only(metrics) },
      ...(difference ? { difference: only(difference) } : {}),
    })),
  };
  const whole = { ...kept, interviews, dataset: { path: title, name: title, fingerprint }, seconds: 0 };
  const rounded = (_: string, v: unknown) => (typeof v === 'number' ? Number(v.toPrecision(5)) : v);
  writeFileSync(join(folder, `${seed}.json`), `${JSON.stringify(whole, rounded)}\n`);
}
const runs = readdirSync(folder)
  .sort()
  .map((file) => read(join(folder, file)).interviews!);
const lines = [
  `| ${runs[0]!.questions} questions by | answered | MAE (${runs.length} seeds) | − popular, by seed |`,
  '| --- | ---: | ---: | --- |',
];
for (const [r, { strategy }] of runs[0]!.rows.entries()) {
  const same = runs.map(({ rows }) => rows[r]!);
  const less = same.map(({ difference }) => (difference ? bracketed(difference.mae!) : '–'));
  const error = bracketed(over(same.map(({ metrics }) => metrics.mae!)));
  const answered = mean(same.map(({ answers }) => answers)).toFixed(1);
  lines.push(`| ${strategy} | ${answered} | ${error} | ${less.join(', ')} |`);
}
const page = join(import.meta.dirname, 'README.md');
const block = new RegExp(`(<!-- elicit: ${name} -->\n)[\\s\\S]*?(\n<!-- /elicit -->)`);
writeFileSync(page, readFileSync(page, 'utf8').replace(block, `$1\n${lines.join('\n')}\n$2`));
