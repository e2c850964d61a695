import type { Results } from '../evaluation/results.js';
import { leadingMetric } from '../evaluation/summary.js';
import type { Table } from '../report/table.js';

/** Models with their items' vectors as they are, moved against them, and moved at random; undefined where nothing was attacked. */
export function attackTable({ rows, protocol }: Results): Table | undefined {
  const metric = leadingMetric('ndcg', protocol);
  const shown = metric.replace('ndcg', 'NDCG');
  const attacked = rows.flatMap((row) => (row.attacks ?? []).map((attack) => ({ row, attack })));
  if (attacked.length === 0) return undefined;
  const cell = (found: Results['rows'][number]['intervals'][string] | undefined) =>
    found ? { value: found.mean, low: found.low, high: found.high } : null;
  return {
    columns: ['model', 'epsilon', `${shown} clean`, `${shown} attacked`, `${shown} at random`],
    rows: attacked.map(({ row, attack: { epsilon, adversarial, random } }) => [
      row.name,
      String(epsilon),
      cell(row.intervals[metric]),
      cell(adversarial.intervals[metric]),
      cell(random.intervals[metric]),
    ]),
  };
}

/** What the table shows, in a sentence. */
export const ATTACK_NOTE =
  'each item’s vector moved by epsilon: attacked, where the loss of these questions grows fastest; at random, in a random direction';
