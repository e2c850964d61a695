import { type Sample, select, total } from '../protocol/metrics.js';
import { type Cell, tableToHtml } from '../report/table.js';
import { bucketsOf, countOf } from './histogram.js';
import { percentText, perSecond, quantileText, rateText, spanText, tiles } from './parts.js';
import type { Window } from './window.js';

const SECONDS = 'recsys_http_request_seconds';
/** Routes of the service's users; those that look at the service itself are left out. */
const ROUTES = ['/v1/recommendations', '/v1/events', '/v1/state', '/v1/elicitation'];

const nameOf = (route: string): string => route.replace('/v1/', '');

/** Values of a label, each once, in their order. */
const valuesOf = (samples: readonly Sample[], label: string): string[] =>
  [...new Set(samples.map(({ labels }) => labels[label] ?? ''))].sort();

/** The share of the lists that were made from popularity alone; NaN without lists. */
export function fallbackShare(samples: readonly Sample[]): number {
  const name = 'recsys_recommendations_total';
  return total(select(samples, name, { source: 'fallback' })) / total(select(samples, name));
}

/** Requests of each route by status: per second of the window, and since the start. */
function requests({ now, rise, seconds }: Window): string {
  const rows = ROUTES.flatMap((route) => {
    const counted = select(now, `${SECONDS}_count`, { route });
    return valuesOf(counted, 'status').map((status): Cell[] => {
      const of = (samples: readonly Sample[]) =>
        total(select(samples, `${SECONDS}_count`, { route, status }));
      return [nameOf(route), status, rateText(perSecond(of(rise), seconds)), of(now)];
    });
  });
  if (rows.length === 0) return '';
  const columns = ['requests', 'status', 'now', { name: 'since start', format: 'count' as const }];
  return tableToHtml({ columns, rows });
}

/** Quantiles of the times of each route: of the window where something was asked in it, and since the start. */
function latencies({ now, rise }: Window): string {
  const rows = ROUTES.flatMap((route) =>
    (['now', 'since start'] as const).flatMap((when): Cell[][] => {
      const buckets = bucketsOf(when === 'now' ? rise : now, SECONDS, { route });
      if (countOf(buckets) === 0) return [];
      return [[nameOf(route), when, ...[0.5, 0.95, 0.99].map((q) => quantileText(buckets, q))]];
    }),
  );
  return rows.length === 0
    ? ''
    : tableToHtml({ columns: ['time of an answer', '', 'p50', 'p95', 'p99'], rows });
}

/** What the service is asked, as HTML. */
export function trafficHtml(window: Window): string {
  const { now, rise, seconds } = window;
  const lists = total(select(rise, 'recsys_recommendations_total'));
  const events = total(select(rise, 'recsys_events_received_total', { result: 'accepted' }));
  const share = fallbackShare(lists > 0 ? rise : now);
  const buckets = bucketsOf(lists > 0 ? rise : now, SECONDS, { route: '/v1/recommendations' });
  const figures = tiles([
    [rateText(perSecond(lists, seconds)), 'lists'],
    [rateText(perSecond(events, seconds)), 'events accepted'],
    [percentText(share), 'fallback lists'],
    [quantileText(buckets, 0.95), 'p95 of a list'],
  ]);
  const asked = requests(window);
  if (asked === '') return `${figures}<p class="lead">Nothing was asked of the service since it started.</p>`;
  const span = seconds > 0 ? `Now: the last ${spanText(seconds)}.` : 'Rates follow with the second reading.';
  return `${figures}<p class="lead">${span}</p><div class="pair">${asked}${latencies(window)}</div>`;
}
