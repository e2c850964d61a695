import { gauge, type Sample, select, total } from '../protocol/metrics.js';
import type { QualityReply } from '../protocol/quality.js';
import { escapeHtml, formatCount } from '../report/format.js';
import { percentText, perSecond, rateText, spanText } from './parts.js';
import { verdictOn } from './quality.js';
import { fallbackShare } from './traffic.js';
import { type Scrape, windowOf } from './window.js';

export interface Alert {
  /** `error`: something does not work; `warning`: something is not as it should be. */
  readonly level: 'error' | 'warning';
  readonly text: string;
}

/** Fewer events waiting than this are no lag, whether more or fewer than before. */
const WAITING = 100;
/** Fewer lists than this say nothing of the share of fallbacks. */
const LISTS = 10;
const FALLBACKS = 0.5;
const UNKNOWN = 0.1;

/** Events by which the lag grows each second; 0 where it is small, does not grow, or too few scrapes say so. */
export function lagGrowth(scrapes: readonly Scrape[]): number {
  const lags = scrapes.map(({ samples }) => gauge(samples, 'recsys_learner_lag_events'));
  const [first, last] = [scrapes[0], scrapes.at(-1)];
  if (first === undefined || last === undefined || lags.length < 3) return 0;
  const [from, to] = [lags[0]!, lags.at(-1)!];
  if (to < WAITING || to < Math.max(...lags) || to <= 1.1 * from) return 0;
  return (to - from) / (last.at - first.at);
}

/** What is wrong, by the scrapes of the last minute and the quality; the worst first. */
export function alertsOf(scrapes: readonly Scrape[], quality?: QualityReply): Alert[] {
  const { now, rise, seconds } = windowOf(scrapes);
  const span = `in the last ${spanText(seconds)}`;
  const errors: string[] = [];
  const warnings: string[] = [];
  const risen = (name: string, of: (labels: Sample['labels']) => boolean = () => true): number =>
    total(select(rise, name).filter(({ labels }) => of(labels)));

  if (gauge(now, 'recsys_learner_paused') === 1)
    errors.push(
      'The learner is paused: lists go on, nothing more is learned. The log of the service says why.',
    );
  if (gauge(now, 'recsys_journal_writable') === 0)
    errors.push('The journal cannot be written: events are refused (507). Is the disk full?');
  const failed = risen('recsys_http_request_seconds_count', ({ status }) => /^5/.test(status ?? ''));
  if (failed > 0) errors.push(`${formatCount(failed)} requests failed inside the service (5xx) ${span}.`);
  if (select(now, 'recsys_learner_loss').some(({ value }) => !Number.isFinite(value)))
    errors.push('The loss of the last update is not a number.');

  const growth = lagGrowth(scrapes);
  if (growth > 0) {
    const waiting = formatCount(gauge(now, 'recsys_learner_lag_events'));
    warnings.push(`The learner falls behind: ${waiting} events wait, ${rateText(growth)} more.`);
  }
  const share = fallbackShare(rise);
  if (risen('recsys_recommendations_total') >= LISTS && share >= FALLBACKS)
    warnings.push(
      `${percentText(share)} of the lists ${span} were fallbacks (popular items): their users are unknown, or the model could not score.`,
    );
  const events = risen('recsys_events_outcome_total');
  const unknown = risen(
    'recsys_events_outcome_total',
    ({ reason }) => reason?.startsWith('unknown') === true,
  );
  if (events > 0 && unknown / events >= UNKNOWN)
    warnings.push(
      `${percentText(unknown / events)} of the events ${span} are of items or behaviours that the model does not know.`,
    );
  for (const [reason, words] of Object.entries(REFUSED)) {
    const count = risen('recsys_http_rejected_total', (labels) => labels.reason === reason);
    if (count > 0)
      warnings.push(
        `${formatCount(count)} requests ${span} (${rateText(perSecond(count, seconds))}) ${words}.`,
      );
  }
  const served = quality?.differences.find(({ arm }) => arm === 'learned');
  if (served !== undefined && verdictOn(served) === 'worse')
    warnings.push(`What is served does worse than ${served.against}: learning does harm.`);
  return [
    ...errors.map((text) => ({ level: 'error', text }) as const),
    ...warnings.map((text) => ({ level: 'warning', text }) as const),
  ];
}

const REFUSED = {
  unauthenticated: 'came without a valid key',
  forbidden: 'came with a key that lacks the scope',
  rate: 'were more than the limits allow',
} as const;

const WORDS = { error: 'Error', warning: 'Warning' } as const;

export function alertsHtml(alerts: readonly Alert[]): string {
  if (alerts.length === 0) return '<p class="well"><span aria-hidden="true">✓</span> All is well.</p>';
  const items = alerts.map(
    ({ level, text }) => `<li class="${level}"><b>${WORDS[level]}</b> ${escapeHtml(text)}</li>`,
  );
  return `<ul class="alerts">${items.join('')}</ul>`;
}
