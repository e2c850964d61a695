/**
 * Lists a second of `recsys serve-online` and of what one would otherwise put together: FastAPI and uvicorn with the same small transformer in
 * PyTorch, and with implicit's ALS. The same users, items, history lengths and client; one server at a time, in turns, so that what else the machine
 * does falls on all alike. Ours, with its defaults, also while it learns 500 events a second, which the others cannot.
 *   npm run build && npm run bench:serve -- --python <one that has fastapi, uvicorn, torch, implicit> [--json] [--seconds 8] [--rounds 3]
 */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { modelSchema } from '../src/model/registry.js';
import { writeUntrained } from './serve/checkpoint.js';
import { startPeer } from './serve/peer.js';
import { learned, listsAlone, mixed, type Rate, sendEvents } from './serve/phases.js';
import { startServed } from './serve/service.js';
import { median } from './step.js';

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    python: { type: 'string' },
    items: { type: 'string', default: '3416' },
    users: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '3' },
  },
});
if (flags.python === undefined)
  throw new Error('--python names one that has fastapi, uvicorn, torch and implicit');
const population = { users: Number(flags.users), items: Number(flags.items) };
const seconds = Number(flags.seconds);
const CONNECTIONS = 16;
const HISTORY = 50;
const MODELS: Readonly<Record<string, object>> = {
  linear: { name: 'linear', width: 64, length: HISTORY, itemAttributes: false, userAttributes: false },
  transformer: { name: 'transformer', width: 64, depth: 1, heads: 2, length: HISTORY, itemAttributes: false },
};

const folder = await mkdtemp(join(tmpdir(), 'recsys-serve-'));
let rooms = 0;
const all = new Map<string, Rate[]>();
const keep = (name: string, rate: Rate): void => {
  all.set(name, [...(all.get(name) ?? []), rate]);
};

async function ours(model: string): Promise<void> {
  const service = await startServed(join(folder, model), join(folder, `state-${rooms++}`));
  try {
    const { url } = service;
    await sendEvents(url, population, { connections: 1, batch: 500, total: HISTORY * population.users });
    await learned(url);
    await listsAlone(url, population, { connections: CONNECTIONS, seconds: 2 });
    keep(`recsys, ${model}`, await listsAlone(url, population, { connections: CONNECTIONS, seconds }));
    const { lists } = await mixed(url, population, {
      connections: CONNECTIONS,
      events: 500,
      batch: 10,
      seconds,
    });
    keep(`recsys, ${model}, learning 500 events/s`, lists);
  } finally {
    await service.stop('SIGKILL');
  }
}

async function theirs(model: string): Promise<void> {
  const peer = await startPeer(flags.python!, model, population);
  try {
    await listsAlone(peer.url, population, { connections: CONNECTIONS, seconds: 2 });
    keep(`FastAPI, ${model}`, await listsAlone(peer.url, population, { connections: CONNECTIONS, seconds }));
  } finally {
    await peer.stop();
  }
}

const before = loadavg()[0]!;
try {
  for (const [model, config] of Object.entries(MODELS))
    await writeUntrained(join(folder, model), modelSchema.parse(config), population.items);
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const model of ['transformer', 'als']) await theirs(model);
    for (const model of Object.keys(MODELS)) await ours(model);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const rows = [...all].map(([name, rates]) => ({
  name,
  perSecond: median(rates.map((rate) => rate.perSecond)),
  p50: median(rates.map((rate) => rate.p50)),
  p99: median(rates.map((rate) => rate.p99)),
  refused: rates.reduce((sum, rate) => sum + rate.refused, 0),
}));
const of = (name: string): number => rows.find((row) => row.name === name)!.perSecond;
const ratios = {
  'transformer / FastAPI with PyTorch': of('recsys, transformer') / of('FastAPI, transformer'),
  "linear / FastAPI with implicit's ALS": of('recsys, linear') / of('FastAPI, als'),
};
const load = [before, loadavg()[0]!].map((x) => x.toFixed(1)).join(' → ');
const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, client and server together, load ${load}`;
if (flags.json) console.log(JSON.stringify({ machine, population, rows, ratios }));
else {
  console.log(
    `${machine}\n\n| ${CONNECTIONS} connections | lists/s | p50 ms | p99 ms |\n| --- | ---: | ---: | ---: |`,
  );
  for (const { name, perSecond, p50, p99, refused } of rows)
    console.log(
      `| ${name}${refused > 0 ? ` (${refused} refused)` : ''} | ${perSecond.toFixed(0)} | ${p50.toFixed(1)} | ${p99.toFixed(1)} |`,
    );
  for (const [name, ratio] of Object.entries(ratios)) console.log(`\n${name}: ${ratio.toFixed(2)}`);
}
