import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ColdResults, coldResultsSchema } from '../src/evaluation/cold/results.js';

/** What of a cold-start evaluation is kept and shown. */
export const METRICS = {
  rating: ['mae', 'ndcg@1', 'ndcg@3', 'ndcg_linear@1', 'ndcg_linear@3'],
  ranking: ['ndcg@10', 'hr@10'],
} as const;

const folderOf = (name: string): string => join(import.meta.dirname, 'results-cold', name);

const read = (file: string): ColdResults => coldResultsSchema.parse(JSON.parse(readFileSync(file, 'utf8')));

/** Puts an evaluation, without what differs from machine to machine, beside the others of its name: one file a seed. */
export function keep(directory: string, name: string): void {
  const { dataset, adaptation: _, seconds: __, ...kept } = read(join(directory, 'results.json'));
  const { name: title, fingerprint } = dataset;
  const shown = METRICS[kept.protocol.task];
  const only = <T>(all: Readonly<Record<string, T>>, names: readonly string[]): Record<string, T> =>
    Object.fromEntries(names.map((metric) => [metric, all[metric]!]));
  const whole = {
    ...kept,
    scenarios: kept.scenarios.map((scenario) => ({
      ...scenario,
      rows: scenario.rows.map(({ metrics, difference, ...row }) => ({
        ...row,
        metrics: only(metrics, shown),
        ...(difference ? { difference: only(difference, shown.slice(0, 1)) } : {}),
      })),
    })),
    dataset: { path: title, name: title, fingerprint },
    adaptation: [],
    seconds: 0,
  };
  const rounded = (_: string, v: unknown) => (typeof v === 'number' ? Number(v.toPrecision(5)) : v);
  mkdirSync(folderOf(name), { recursive: true });
  writeFileSync(join(folderOf(name), `${kept.seed}.json`), `${JSON.stringify(whole, rounded)}\n`);
}

/** All that is kept under a name, by seed. */
export function kept(name: string): ColdResults[] {
  return readdirSync(folderOf(name))
    .sort()
    .map((file) => read(join(folderOf(name), file)));
}
