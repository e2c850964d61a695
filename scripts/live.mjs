/** A live service and a user it has never seen: their list before and after five events. */
import { spawn } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const USER = 'someone-new';
const K = 10;
const STEPS = ['view', 'view', 'favourite', 'cart', 'purchase'];
const START_MS = 120_000;
/** Events are answered once they are on the disk; the model learns from them a moment later. */
const LEARN_MS = 300;

/**
 * Starts `recsys serve-online` on a free loopback port, sends five events of one hobby, shows both lists and stops the service.
 *
 * @param options binary: bin/recsys.js · model: checkpoint · raw: the generated log · state: the service's directory, removed
 *   before and after · backend: optional · say: where lines go
 * @returns {{ changed: number, ofHobby: number, hobby: string, before: string[], after: string[] }}
 */
export async function demonstrate({ binary, model, raw, state, backend, say }) {
  await rm(state, { recursive: true, force: true });
  const service = await start({ binary, model, state, backend });
  try {
    const items = await readItems(join(raw, 'items.jsonl'));
    const before = await list(service.url);
    const { hobby, events } = choose(items, before.items);
    say(`Live: ${service.url} serves the tuned student. A user it has never seen does five things:\n`);
    const spent = [];
    for (const [n, item] of events.entries()) {
      const event = { id: `quickstart-${n}`, user: USER, item: item.item, behaviour: STEPS[n] };
      spent.push((await request(`${service.url}/v1/events`, event)).ms);
      say(`  ${STEPS[n].padEnd(10)} ${item.title}`);
    }
    await sleep(LEARN_MS);
    const after = await list(service.url);
    const reads = [after.ms];
    while (reads.length < 9) reads.push((await list(service.url)).ms);
    const known = new Set(before.items.map(({ item }) => item));
    const fresh = after.items.filter(({ item }) => !known.has(item));
    const ofHobby = after.items.filter(({ item }) => items.get(item)?.category === hobby).length;
    say(`\n${sideBySide(before.items, after.items, known)}\n`);
    say(
      `${fresh.length} of ${K} places hold another item; ${ofHobby} are for ${hobby}. ` +
        `An event took ${median(spent)} ms, a list ${median(reads)} ms (medians).`,
    );
    const titles = (answer) => answer.items.map(({ title }) => title);
    return { changed: fresh.length, ofHobby, hobby, before: titles(before), after: titles(after) };
  } finally {
    await service.stop();
    await rm(state, { recursive: true, force: true });
  }
}

async function start({ binary, model, state, backend }) {
  const ready = `${state}.ready.json`;
  await rm(ready, { force: true });
  const args = ['serve-online', '--model', model, '--state', state, '--port', '0', '--ready-file', ready];
  if (backend) args.push('--backend', backend);
  const child = spawn(process.execPath, [binary, ...args, '--quiet'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let messages = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    messages += text;
  });
  let running = true;
  const ended = new Promise((resolve) =>
    child.once('close', () => {
      running = false;
      resolve();
    }),
  );
  const stop = async () => {
    if (running) child.kill('SIGTERM');
    await ended;
    await rm(ready, { force: true });
  };
  const deadline = performance.now() + START_MS;
  while (running && performance.now() < deadline) {
    const text = await readFile(ready, 'utf8').catch(() => '');
    if (text !== '') return { url: JSON.parse(text).url, stop };
    await sleep(50);
  }
  await stop();
  throw new Error(`the live service did not start:\n${messages}`);
}

async function request(url, body) {
  const started = performance.now();
  const options = body && {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
  const reply = await fetch(url, options);
  const answer = await reply.json();
  if (!reply.ok) throw new Error(`the live service answered ${reply.status}: ${answer.message}`);
  return { ...answer, ms: performance.now() - started };
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1].toFixed(1);

const list = (url) => request(`${url}/v1/recommendations?user=${USER}&k=${K}`);

async function readItems(file) {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  return new Map(lines.map((line) => JSON.parse(line)).map((item) => [item.item, item]));
}

const LEVELS = ['starter', 'regular', 'advanced'];

/** The hobby the first list has least of, and five kinds of things for it by its largest brand, for beginners first. */
function choose(items, listed) {
  const all = [...items.values()];
  const shown = (hobby) => listed.filter(({ item }) => items.get(item).category === hobby).length;
  const hobbies = [...new Set(all.map(({ category }) => category))];
  const [hobby] = hobbies.sort((a, b) => shown(a) - shown(b));
  const open = all.filter((one) => one.category === hobby && !listed.some(({ item }) => item === one.item));
  const made = (brand) => open.filter((one) => one.brand === brand).length;
  const level = ({ tags }) => LEVELS.indexOf(tags[0]);
  open.sort((a, b) => made(b.brand) - made(a.brand) || level(a) - level(b) || (a.item < b.item ? -1 : 1));
  const kinds = new Map();
  for (const item of open) if (!kinds.has(item.kind)) kinds.set(item.kind, item);
  return { hobby, events: [...kinds.values()].slice(0, STEPS.length) };
}

function sideBySide(before, after, known) {
  const left = before.map(({ title }) => title);
  const width = Math.max(...left.map((title) => title.length), 'before'.length);
  const lines = [`    ${'before'.padEnd(width)}    after`];
  for (let i = 0; i < Math.max(before.length, after.length); i++) {
    const mark = after[i] && !known.has(after[i].item) ? '+' : ' ';
    lines.push(
      `${String(i + 1).padStart(2)}  ${(left[i] ?? '').padEnd(width)}  ${mark} ${after[i]?.title ?? ''}`.trimEnd(),
    );
  }
  return lines.join('\n');
}
