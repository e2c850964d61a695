/** The quickstart's one table, from the rows of an evaluation: quality, size, time of a request. */
export function comparison(rows) {
  return {
    columns: [
      'model',
      { name: 'NDCG@10', better: 'higher' },
      { name: 'HR@10', better: 'higher' },
      { name: 'size', format: 'bytes' },
      { name: 'a request', format: 'milliseconds' },
    ],
    rows: rows.map(({ name, kind, metrics, bytes, milliseconds }) => [
      name,
      metrics['ndcg@10'],
      metrics['hr@10'],
      kind === 'external' ? null : bytes,
      milliseconds ?? null,
    ]),
    aside: rows.flatMap(({ kind }, at) => (kind === 'external' ? [at] : [])),
  };
}
