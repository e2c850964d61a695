/**
 * Keeps a cold-start evaluation beside the others' results, and makes the table between `<!-- cold: <name> -->` and `<!-- /cold -->`
 * of every page that has it from all that are kept: by scenario, with all events given, or, with `curve` and of one that ranks, after k events.
 *   npx tsx bench/cold-table.ts <evaluation directory> <name> [curve]
 */
import type { ColdResults, ColdRow } from '../src/evaluation/cold/results.js';
import { keep, kept, METRICS } from './cold-results.js';
import { bracketed, four, mean, over } from './figures.js';
import { changePages, PAGES } from './pages.js';

const [directory, name = 'ml1m-cold', kind] = process.argv.slice(2);
if (directory) keep(directory, name);
const runs = kept(name);
const thing = name.startsWith('ml') ? 'films' : 'items';

type Scenario = ColdResults['scenarios'][number];

/** The same row of every run. */
function same({ users, items }: Scenario, row: Pick<ColdRow, 'name' | 'support'>): ColdRow[] {
  return runs.flatMap((run) =>
    run.scenarios
      .filter((s) => s.users === users && s.items === items)
      .flatMap((s) => s.rows.filter((r) => r.name === row.name && r.support === row.support)),
  );
}

/** A metric's mean over runs, with the widest interval. */
function figure(rows: readonly ColdRow[], metric: string): string {
  return bracketed(over(rows.map((r) => r.metrics[metric]!)));
}

function scenarioTable(): string[] {
  const [leading, ...others] = METRICS.rating;
  const lines = [
    '| scenario | model | seeds | MAE | NDCG@1 | NDCG@3 | linear NDCG@1 | linear NDCG@3 |',
    '| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |',
  ];
  for (const scenario of runs[0]!.scenarios) {
    const { users, items, rows } = scenario;
    const title = `${items} ${thing} → ${users} users`;
    const found = rows
      .filter((row) => row.support === 'all' && row.kind !== 'unadapted')
      .map((row) => same(scenario, row))
      .map((all) => ({ all, mae: mean(all.map((r) => r.metrics[leading]!.mean)) }))
      .sort((a, b) => b.mae - a.mae);
    for (const one of runs[0]!.published.filter((p) => p.users === users && p.items === items)) {
      const figures = METRICS.rating.map((m) => (one.metrics[m] === undefined ? '–' : four(one.metrics[m]!)));
      lines.push(`| ${title} | *${one.name}* | | ${figures.join(' | ')} |`);
    }
    for (const { all } of found) {
      const figures = others.map((m) => four(mean(all.map((r) => r.metrics[m]!.mean))));
      lines.push(
        `| ${title} | ${all[0]!.name} | ${all.length} | ${figure(all, leading)} | ${figures.join(' | ')} |`,
      );
    }
  }
  return lines;
}

function curveTable(): string[] {
  const { protocol, scenarios, reference } = runs[0]!;
  const [leading] = METRICS[protocol.task];
  const supports = [...new Set(scenarios.flatMap(({ rows }) => rows.map(({ support }) => support)))];
  const lines = [
    `| scenario | ${leading === 'mae' ? 'MAE' : 'NDCG@10'} after … events | seeds | ${supports.join(' | ')} |`,
    `| --- | --- | ---: | ${supports.map(() => '---:').join(' | ')} |`,
  ];
  const differences: string[] = [];
  for (const scenario of scenarios) {
    const title = `${scenario.items} ${thing} → ${scenario.users} users`;
    for (const model of new Set(scenario.rows.map((row) => row.name))) {
      const at = supports.map((support) => same(scenario, { name: model, support }));
      const cells = at.map((all) => figure(all, leading));
      lines.push(`| ${title} | ${model} | ${at[0]!.length} | ${cells.join(' | ')} |`);
      if (!at.every((all) => all[0]!.kind === 'model' && all[0]!.difference)) continue;
      const less = at.map((all) => bracketed(over(all.map((r) => r.difference![leading]!))));
      differences.push(`- ${title}, ${model} − ${reference}: ${less.join(', ')}`);
    }
  }
  if (differences.length === 0) return lines;
  return [
    ...lines,
    '',
    'Paired by user, after as many events (mean over seeds, widest interval):',
    '',
    ...differences,
  ];
}

const lines = kind === 'curve' || runs[0]!.protocol.task === 'ranking' ? curveTable() : scenarioTable();
const block = new RegExp(`(<!-- cold: ${name} -->\n)[\\s\\S]*?(\n<!-- /cold -->)`);
changePages(PAGES, (page) => page.replace(block, `$1\n${lines.join('\n')}\n$2`));
