import { formatCount } from '../report/format.js';
import type { ReportContent } from '../report/report.js';
import { renderTable, type Table } from '../report/table.js';
import type { ChaosResult } from '../traffic/chaos/chaos.js';
import type { ChaosConfig } from '../traffic/chaos/schema.js';

/** What was looked at, and how many times it was not so. */
export function chaosFaults(result: ChaosResult): readonly (readonly [string, number])[] {
  const { journal, learned, state, renumbered, unreached } = result;
  return [
    ['acknowledged events that are not in the journal', journal.lost.length],
    ['events in the journal more than once', journal.repeated.length],
    ['events with another number than was answered', journal.moved.length + renumbered.length],
    ['events in the journal that were not acknowledged', journal.unacknowledged.length],
    ['events in no update', journal.unlearned.length],
    ['updates without an event', journal.emptyUpdates],
    ['records lost', journal.lostRecords],
    ['named moments that were not come to', unreached.length],
    ['events learned, compared with a replay', Math.abs(learned.killed - learned.replayed)],
    [`of ${state.tensors} tensors: not the same bits as after a replay`, state.different.length],
  ];
}

function verdict(result: ChaosResult): string {
  const { kills, acknowledged, whole } = result;
  const what = `${kills.length} kills, ${formatCount(acknowledged)} events acknowledged`;
  return whole ? `${what}: nothing lost, nothing twice, the same bits after a replay` : `${what}: not whole`;
}

const faultsTable = (result: ChaosResult): Table => ({
  columns: ['looked for', { name: 'found', format: 'count' }],
  rows: chaosFaults(result).map((row) => [...row]),
});

const killsTable = ({ kills }: ChaosResult): Table => ({
  columns: ['kill', 'second', 'while', 'acknowledged', 'requests under way'],
  rows: kills.map(({ at, starting, failpoint, acknowledged, underWay }, n) => [
    String(n + 1),
    at.toFixed(2),
    failpoint ?? (starting ? 'starting' : 'serving'),
    ...[acknowledged, underWay],
  ]),
});

/** What the terminal shows. */
export function chaosText(result: ChaosResult): string {
  return [verdict(result), '', renderTable(faultsTable(result))].join('\n');
}

/** `report.html` of a storm. */
export function chaosReport(result: ChaosResult, config: ChaosConfig): ReportContent {
  const longest = Math.max(...result.startups);
  return {
    title: 'Chaos',
    description: `${verdict(result)}. ${formatCount(result.retries)} requests were sent again; the longest start took ${longest.toFixed(1)} s.`,
    comparison: faultsTable(result),
    further: [{ title: 'Kills', table: killsTable(result) }],
    config,
  };
}
