import { Counter, Gauge, type Registry } from 'prom-client';

/** What `/metrics` shows of the index. @returns lists by which items were scored */
export function retrievalMetrics(
  registry: Registry,
  read: { ready(): number; recall(): number },
): Counter<'scored'> {
  const registers = [registry];
  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      name: `recsys_retrieval_${name}`,
      help,
      registers,
      collect() {
        this.set(value());
      },
    });
  };
  gauge(
    'ready',
    '1 where an index proposes candidates; 0 while there is none, and every item is scored',
    read.ready,
  );
  gauge(
    'recall',
    'Share of exact lists’ items that lists of candidates have, over every 1,000th list; NaN before the first',
    read.recall,
  );
  return new Counter({
    name: 'recsys_retrieval_lists_total',
    help: 'Lists of the model by which items were scored: index, its candidates; exact, all; short, all, since rules left too few candidates',
    labelNames: ['scored'] as const,
    registers,
  });
}
