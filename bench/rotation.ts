/**
 * How long a start takes that renames the users of a long journal after a rotation of the pseudonym key: the journal's part of it.
 *   npx tsx bench/rotation.ts [--events 1000000] [--users 10000]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Journal } from '../src/online/journal.js';
import { pseudonyms } from '../src/online/privacy/pseudonyms.js';
import { renewNames } from '../src/online/privacy/renewed-names.js';
import { appendLearned } from './serve/journal.js';

const { values } = parseArgs({
  options: { events: { type: 'string', default: '1000000' }, users: { type: 'string', default: '10000' } },
});
const [total, users] = [Number(values.events), Number(values.users)];
const state = await mkdtemp(join(tmpdir(), 'recsys-rotation-'));
const keys = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
const before = pseudonyms(keys.slice(0, 1));
const journal = await Journal.open(join(state, 'journal'), {
  segmentBytes: 64 * 1024 * 1024,
  durability: 'none',
});
const eventOf = (n: number) => ({
  type: 'event',
  ...before.event({
    id: `e${n}`,
    user: `user${n % users}`,
    item: `i${(n * 11) % 4000}`,
    behaviour: 'view',
    time: 1_700_000_000_000 + n,
    context: { page: 'home', device: 'phone' },
  }),
});
await appendLearned(journal, { events: total, batch: 16 }, eventOf);
await journal.close();
const start = performance.now();
await renewNames(state, pseudonyms(keys), (_, message) => console.log(message));
console.log(`renamed: ${((performance.now() - start) / 1000).toFixed(1)} s`);
console.log(`memory: ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`);
await rm(state, { recursive: true });
