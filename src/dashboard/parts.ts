import { escapeHtml, formatCount } from '../report/format.js';
import { type Buckets, quantile } from './histogram.js';

/** A figure shown large, with what it is. */
export type Tile = readonly [value: string, name: string];

export const tiles = (all: readonly Tile[]): string =>
  `<ul class="tiles">${all.map(([value, name]) => `<li><b>${escapeHtml(value)}</b><span>${escapeHtml(name)}</span></li>`).join('')}</ul>`;

/** A picture under its title. */
export const figure = (title: string, svg: string): string =>
  `<figure><figcaption>${escapeHtml(title)}</figcaption>${svg}</figure>`;

export const note = (text: string): string => `<p class="lead">${escapeHtml(text)}</p>`;

/** `12.3/s`; a dash where it is not known. */
export function rateText(perSecond: number): string {
  if (!Number.isFinite(perSecond)) return '–';
  return `${perSecond >= 100 ? formatCount(perSecond) : perSecond.toFixed(perSecond >= 10 ? 1 : 2)}/s`;
}

export const percentText = (share: number): string =>
  Number.isFinite(share) ? `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %` : '–';

/** Seconds as milliseconds or seconds, with two or three digits. */
export function timeText(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  if (seconds >= 1) return `${Number(seconds.toPrecision(3))} s`;
  return `${Number((seconds * 1000).toPrecision(seconds < 0.01 ? 2 : 3))} ms`;
}

/** A quantile of times in seconds; `> 2.5 s` above the last bound. */
export function quantileText(buckets: Buckets, q: number): string {
  const seconds = quantile(buckets, q);
  return seconds === Number.POSITIVE_INFINITY ? `> ${timeText(buckets.at(-2)?.[0] ?? 0)}` : timeText(seconds);
}

/** `5 s`, `2 min`. */
export const spanText = (seconds: number): string =>
  seconds < 100 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;

/** Rises per second; NaN where there is no time between. */
export const perSecond = (rise: number, seconds: number): number =>
  seconds > 0 ? rise / seconds : Number.NaN;
