import { readMetrics } from '../protocol/metrics.js';
import type { QualityReply } from '../protocol/quality.js';
import { type Alert, alertsHtml, alertsOf } from './alerts.js';
import { clicksHtml } from './clicks.js';
import { learnerHtml, modelText } from './learner.js';
import { addMoment, type Moment, momentOf, qualityHtml, qualityTable } from './quality.js';
import { trafficHtml } from './traffic.js';
import { remember, type Scrape, windowOf } from './window.js';

// What runs in the browser: asks, and puts what the other files make into the page.

const EVERY = 5;
const WINDOW = 60;
const MOMENTS = 720;
const KEY = 'recsys-key';

let scrapes: Scrape[] = [];
let moments: Moment[] = [];
let quality: QualityReply | undefined;
let paused = false;
let timer: number | undefined;

const element = (id: string): HTMLElement => document.getElementById(id)!;
const field = element('key') as HTMLInputElement;
const shown = new Map<string, string>();

/** Sets what an element holds, where it changed: what stays is not read out again. */
function put(id: string, html: string): void {
  if (shown.get(id) === html) return;
  shown.set(id, html);
  element(id).innerHTML = html;
}

class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly withKey: boolean,
  ) {
    super(`the service answers ${status}`);
  }
}

async function ask(path: string): Promise<Response> {
  const key = sessionStorage.getItem(KEY);
  const headers: Record<string, string> = key === null ? {} : { authorization: `Bearer ${key}` };
  const reply = await fetch(path, { cache: 'no-store', headers, signal: AbortSignal.timeout(10_000) });
  if (!reply.ok) throw new Refusal(reply.status, key !== null);
  return reply;
}

function showAlerts(more: readonly Alert[] = []): void {
  const alerts = [...more, ...alertsOf(scrapes, quality)];
  put('alerts', alertsHtml(alerts));
  document.title = alerts.length === 0 ? 'recsys' : `(${alerts.length}) recsys`;
}

function show(): void {
  const window = windowOf(scrapes);
  element('door').hidden = true;
  element('figures').hidden = false;
  element('forget').hidden = sessionStorage.getItem(KEY) === null;
  element('model').textContent = modelText(window);
  element('status').textContent = `read at ${new Date().toLocaleTimeString()}, every ${EVERY} s`;
  showAlerts();
  put('traffic', trafficHtml(window));
  put('learner', learnerHtml(window) + clicksHtml(window));
  put('quality', qualityHtml(quality!, moments));
  put('numbers', qualityTable(quality!));
}

/** Asks for a key. What was shown before goes: it may be another's turn to look. */
function shut({ status, withKey }: Refusal): void {
  const wrong = withKey ? 'The service does not know this key, or it is no longer valid.' : '';
  const reason = status === 403 ? 'This key lacks the scope read or admin.' : wrong;
  element('refusal').textContent = reason || 'This service answers only who has a key.';
  element('door').hidden = false;
  element('figures').hidden = true;
  element('forget').hidden = true;
  element('status').textContent = 'no data';
  sessionStorage.removeItem(KEY);
  scrapes = [];
  moments = [];
  for (const id of ['traffic', 'learner', 'quality', 'numbers', 'alerts']) put(id, '');
  field.focus();
}

async function read(): Promise<void> {
  try {
    const [metrics, reply] = await Promise.all([ask('metrics'), ask('v1/quality')]);
    const at = performance.now() / 1000;
    scrapes = remember(scrapes, { at, samples: readMetrics(await metrics.text()) }, WINDOW);
    quality = (await reply.json()) as QualityReply;
    moments = addMoment(moments, momentOf(at, quality), MOMENTS);
    show();
  } catch (error) {
    if (error instanceof Refusal && (error.status === 401 || error.status === 403)) return shut(error);
    const text =
      error instanceof Refusal && error.status === 429
        ? 'This page asks more than the limits of its key allow; it asks again.'
        : `The service does not answer (${error instanceof Error ? error.message : error}); what is shown is old.`;
    element('figures').hidden = false;
    showAlerts([{ level: 'error', text }]);
  }
  next();
}

function next(): void {
  clearTimeout(timer);
  if (!paused && !document.hidden) timer = window.setTimeout(read, EVERY * 1000);
}

/** Reads now, and from now on. */
function go(): void {
  clearTimeout(timer);
  void read();
}

element('pause').addEventListener('click', () => {
  paused = !paused;
  element('pause').setAttribute('aria-pressed', String(paused));
  if (paused) clearTimeout(timer);
  else go();
});
element('ask').addEventListener('submit', (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, field.value);
  field.value = '';
  go();
});
element('forget').addEventListener('click', () => {
  sessionStorage.removeItem(KEY);
  shut(new Refusal(401, false));
});
document.addEventListener('visibilitychange', () => {
  if (document.hidden) clearTimeout(timer);
  else if (!paused && element('door').hidden) go();
});
go();
