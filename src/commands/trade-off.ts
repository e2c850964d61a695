import type { Results } from '../evaluation/results.js';
import type { PlotSpec } from '../report/plot.js';

/** What a model costs, by the name of the axis. */
const COSTS = [
  { title: 'size', axis: 'bytes of weights', of: (row: Results['rows'][number]) => row.bytes },
  { title: 'a request', axis: 'milliseconds', of: (row: Results['rows'][number]) => row.milliseconds },
] as const;

/** Quality against each cost, one named point a model; none where fewer than two models are compared. */
export function tradeOffs(results: Results, metric: string): PlotSpec[] {
  const models = results.rows.filter(({ kind }) => kind === 'model');
  if (models.length < 2) return [];
  return COSTS.flatMap(({ title, axis, of }) => {
    const values = models.flatMap((row) => {
      const cost = of(row);
      const quality = row.intervals[metric];
      return cost !== undefined && cost > 0 && quality ? [{ name: row.name, cost, ...quality }] : [];
    });
    if (values.length < 2) return [];
    const x = { field: 'cost', type: 'quantitative', scale: { type: 'log', padding: 24 }, title: axis };
    const y = { type: 'quantitative', scale: { zero: false, padding: 12 } };
    return [
      {
        title: `${metric} against ${title}`,
        data: { values },
        encoding: { x },
        layer: [
          { mark: 'rule', encoding: { y: { ...y, field: 'low', title: metric }, y2: { field: 'high' } } },
          { mark: { type: 'point', filled: true, size: 60 }, encoding: { y: { ...y, field: 'mean' } } },
          {
            mark: { type: 'text', align: 'left', dx: 8, dy: -6 },
            encoding: { y: { ...y, field: 'mean' }, text: { field: 'name' } },
          },
        ],
      },
    ];
  });
}
