/**
 * How long it takes to tell and to erase a user of a long journal: the disk's part of `GET` and `DELETE /v1/users/{id}`.
 *   npx tsx bench/erasure.ts [--events 1000000] [--users 10000]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Journal } from '../src/online/journal.js';
import { eraseFromDisk } from '../src/online/privacy/disk.js';
import { knownEvents } from '../src/online/privacy/known-events.js';
import { appendLearned } from './serve/journal.js';

const { values } = parseArgs({
  options: { events: { type: 'string', default: '1000000' }, users: { type: 'string', default: '10000' } },
});
const [total, users] = [Number(values.events), Number(values.users)];
const state = await mkdtemp(join(tmpdir(), 'recsys-erasure-'));
const directory = join(state, 'journal');
const journal = await Journal.open(directory, { segmentBytes: 64 * 1024 * 1024, durability: 'none' });
const eventOf = (n: number) => ({
  type: 'event',
  id: `e${n}`,
  user: `user${n % users}`,
  item: `i${(n * 11) % 4000}`,
  behaviour: 'view',
  time: 1_700_000_000_000 + n,
  context: { page: 'home', device: 'phone' },
});
await appendLearned(journal, { events: total, batch: 16 }, eventOf);
const user = 'user77';
const seq = await journal.append([{ type: 'erase', user }]);
const seconds = async (work: () => Promise<unknown>): Promise<string> => {
  const start = performance.now();
  await work();
  return `${((performance.now() - start) / 1000).toFixed(2)} s`;
};
console.log(`told: ${await seconds(() => knownEvents(directory, { user, after: 0, limit: 1000 }))}`);
const erase = async () => {
  const closed = { directory, segments: await journal.seal() };
  const site = { state, closed, reach: { firstSeq: 1, base: 0 }, log: () => undefined };
  await eraseFromDisk({ user, seq }, site, true);
};
console.log(`erased: ${await seconds(erase)}`);
console.log(`memory: ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`);
await journal.close();
await rm(state, { recursive: true });
