import { gauge, select, total } from '../protocol/metrics.js';
import { formatCount } from '../report/format.js';
import { tableToHtml } from '../report/table.js';
import { bucketsOf } from './histogram.js';
import { note, perSecond, quantileText, rateText, tiles, timeText } from './parts.js';
import type { Window } from './window.js';

const UPDATE = 'recsys_learner_update_seconds';
const OUTCOME = 'recsys_events_outcome_total';

const count = (value: number): string => (Number.isFinite(value) ? formatCount(value) : '–');

/** The model's name and the checkpoint served. */
export function modelText({ now }: Pick<Window, 'now'>): string {
  const { model = '', version = '' } = select(now, 'recsys_model_info')[0]?.labels ?? {};
  return [model, version].filter(Boolean).join(' · ');
}

/** What the learner does, as HTML. */
export function learnerHtml(window: Window): string {
  const { now, rise, seconds } = window;
  const updates = total(select(rise, `${UPDATE}_count`));
  // Of the window where something was learned in it.
  const recent = updates > 0 ? rise : now;
  const mean = total(select(recent, `${UPDATE}_sum`)) / total(select(recent, `${UPDATE}_count`));
  const paused = gauge(now, 'recsys_learner_paused') === 1;
  const writable = gauge(now, 'recsys_journal_writable') !== 0;
  const learned = total(select(now, OUTCOME, { outcome: 'learned' }));
  const version = select(now, 'recsys_model_info')[0]?.labels.version;
  const figures = tiles([
    [paused ? 'paused' : 'learning', 'learner'],
    [count(gauge(now, 'recsys_learner_lag_events')), 'events waiting'],
    [rateText(perSecond(updates, seconds)), 'updates'],
    [timeText(mean), 'mean time of an update'],
    [quantileText(bucketsOf(recent, UPDATE), 0.95), 'p95 of an update'],
    [count(gauge(now, 'recsys_users')), 'users known'],
    [count(gauge(now, 'recsys_journal_position')), 'journal position'],
    [writable ? 'writable' : 'not writable', 'journal'],
  ]);
  const rows = select(now, OUTCOME).map(({ labels, value }) => {
    const { outcome = '', reason = '' } = labels;
    const rate = perSecond(total(select(rise, OUTCOME, { outcome, reason })), seconds);
    return [reason === '' ? outcome : `${outcome}: ${reason}`, rateText(rate), value];
  });
  rows.sort(([a], [b]) => String(a).localeCompare(String(b)));
  const columns = ['events', 'now', { name: 'in this process', format: 'count' as const }];
  const outcomes = rows.length === 0 ? '' : tableToHtml({ columns, rows });
  return `${figures}${version === undefined ? '' : versionHtml(version, learned)}${outcomes}`;
}

const versionHtml = (version: string, learned: number): string =>
  note(`Model version ${version}, and ${formatCount(learned)} events learned by this process.`);
