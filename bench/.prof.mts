import { mkdtempSync } from 'node:fs';
import { modelSchema } from '../src/model/registry.js';
import { writeUntrained } from './serve/checkpoint.js';
import { writeJournal } from './serve/journal.js';
import { learned, mixed, sendEvents } from './serve/phases.js';
import { startServed } from './serve/service.js';
const [,, what, model='linear', n='20000', ...sets] = process.argv;
const MODELS: any = { linear: { name: 'linear', width: 64, length: 50, itemAttributes: false, userAttributes: false }, transformer: { name: 'transformer', width: 64, depth: 1, heads: 2, length: 50, itemAttributes: false } };
const dir = mkdtempSync('/tmp/k/a-prof-');
await writeUntrained(dir + '/m', modelSchema.parse(MODELS[model]), 3416);
const pop = { users: 1000, items: 3416 };
if (what === 'replay') await writeJournal(dir + '/s', { users: 20000, items: 3416 }, { events: Number(n), batch: 16 });
const s = await startServed(dir + '/m', dir + '/s', ['learning.queue=2000000', ...sets], ['--cpu-prof', `--cpu-prof-dir=${dir}/prof`]);
console.log('start', s.seconds);
if (what === 'mixed') { await sendEvents(s.url, pop, { connections: 1, batch: 500, total: 5000 }); await learned(s.url); console.log(JSON.stringify(await mixed(s.url, pop, { connections: 16, events: 500, batch: 10, seconds: 8 }))); }
if (what === 'batch') { console.log(await sendEvents(s.url, pop, { connections: 4, batch: 250, total: Number(n) })); console.log(await learned(s.url)); }
if (what === 'single') { console.log(await sendEvents(s.url, pop, { connections: 16, batch: 1, seconds: 8 })); console.log(await learned(s.url)); }
await s.stop();
console.log(dir);
