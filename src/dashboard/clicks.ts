import { gauge, select, total } from '../protocol/metrics.js';
import { formatCount, formatMetric } from '../report/format.js';
import { note, percentText, perSecond, rateText, tiles } from './parts.js';
import type { Window } from './window.js';

const LEARNED = 'recsys_clicks_learned_total';

/** How well clicks are foretold, as HTML; nothing where the service has no click model. */
export function clicksHtml({ now, rise, seconds }: Window): string {
  if (select(now, 'recsys_clicks_log_loss').length === 0) return '';
  const number = (name: string): number => gauge(now, `recsys_clicks_${name}`);
  const figures = tiles([
    [formatMetric(number('log_loss')), 'log-loss, less is better'],
    [formatMetric(number('calibration')), 'clicks foretold by clicks that came; 1 is right'],
    [percentText(number('rate')), 'share of clicks'],
    [formatCount(total(select(now, LEARNED))), 'events learned'],
    [rateText(perSecond(total(select(rise, LEARNED)), seconds)), 'events learned now'],
  ]);
  const said = 'Over the newest events with a label, each foretold before it was learned.';
  return `<h3>Clicks</h3>${note(said)}${figures}`;
}
