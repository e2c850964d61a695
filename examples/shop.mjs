/*
 * A shop's pages in front of `recsys serve-online`: questions for a visitor who is new, a list for everybody, and an event for
 * whatever is looked at or put into the basket. The next page already knows. Where the service is slow or away, the shop goes on:
 * it shows its own bestsellers, and events wait.
 *
 * After the quickstart:
 *   node bin/recsys.js serve-online --model runs/quickstart/tuned --state runs/state --port 8080
 *   node examples/shop.mjs        then, in a browser, http://127.0.0.1:3000
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { RecsysClient } from 'recsys/client';

const url = process.env.RECSYS_URL ?? 'http://127.0.0.1:8080';
const port = Number(process.env.PORT ?? 3000);
const longest = Number(process.env.LONGEST_MS ?? 300);

// A page waits for its list no longer. An event is sent again and again for ten minutes: its id makes that safe.
const lists = new RecsysClient({ url, timeout: longest, patience: 0 });
const log = new RecsysClient({ url, patience: 600_000 });

// Whom the shop has seen do something; a real one asks its own database.
const known = new Set();
const bestsellers = (process.env.BESTSELLERS ?? '').split(',').filter(Boolean);

const text = (value) => String(value).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

const card = ({ item, title }, list) => `
  <form method="post" action="/did"><b>${text(title || item)}</b>
    <input type="hidden" name="item" value="${text(item)}"><input type="hidden" name="list" value="${text(list ?? '')}">
    <button name="behaviour" value="view">look</button> <button name="behaviour" value="cart">into the basket</button>
  </form>`;

const page = (heading, items, list) => `<!doctype html><meta charset="utf-8"><title>shop</title>
<h1>${text(heading)}</h1>${items.map((item) => card(item, list)).join('')}`;

async function home(visitor) {
  try {
    if (!known.has(visitor)) {
      const { items } = await lists.elicitation(visitor, { k: 6 });
      return page('New here? What do you like?', items);
    }
    const { items, requestId, fallback } = await lists.recommendations(visitor, { k: 8 });
    return page(fallback ? 'What others like' : 'For you', items, requestId);
  } catch (error) {
    console.error(`no list: ${error.message}`);
    return page(
      'Bestsellers',
      bestsellers.map((item) => ({ item })),
    );
  }
}

/** Sends an event, and waits for its receipt a while: what is acknowledged is in the next list. */
function did(visitor, form) {
  known.add(visitor);
  const list = form.get('list');
  const sent = log
    .event({
      id: randomUUID(),
      user: visitor,
      item: form.get('item'),
      behaviour: form.get('behaviour'),
      // Names the list it came from, for `recsys uplift` and `recsys off-policy`.
      ...(list ? { requestId: list } : {}),
    })
    .catch((error) => console.error(`an event was lost: ${error.message}`));
  return Promise.race([sent, setTimeout(longest, undefined, { ref: false })]);
}

async function bodyOf(request) {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk;
    if (body.length > 10_000) return '';
  }
  return body;
}

async function answer(request, response) {
  const visitor = /(?:^|; )visitor=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1] ?? randomUUID();
  response.setHeader('set-cookie', `visitor=${visitor}; Path=/; HttpOnly; SameSite=Lax`);
  if (request.method === 'POST' && request.url === '/did') {
    const form = new URLSearchParams(await bodyOf(request));
    if (form.get('item') && form.get('behaviour')) await did(visitor, form);
    response.writeHead(303, { location: '/' }).end();
  } else if (request.method === 'GET' && request.url === '/') {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(await home(visitor));
  } else response.writeHead(404).end();
}

// Whoever hangs up in the middle of a request ends that request alone.
const server = createServer((request, response) => answer(request, response).catch(() => response.destroy()));

server.listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
