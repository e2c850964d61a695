/**
 * What lists and events take before and while shared weights are rebuilt after an erasure, on a small transformer:
 * `npx tsx bench/rebuild.ts [events] [backend]`, after `npm run build`. The client is this process, the service another.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { RecsysClient } from '../src/client/index.js';
import { selectBackend } from '../src/compute/select.js';
import { writeTinyCheckpoint } from '../test/online/checkpoint-fixture.js';
import { startService } from '../test/suites/binary.js';

const [total, backend] = [Number(process.argv[2] ?? 50_000), process.argv[3] ?? 'tensorflow'];
const dir = await mkdtemp(join(tmpdir(), 'recsys-rebuild-'));
await selectBackend('cpu');
const model = { name: 'transformer', width: 32, depth: 1, heads: 1, length: 20, itemAttributes: false };
await writeTinyCheckpoint(join(dir, 'model'), 1, {}, { model });
const settings = ['--set', 'privacy.rebuildAfter=0'];
const { child, ended, url } = await startService(dir, 'state', settings, {}, backend);
const client = new RecsysClient({ url, patience: 0 });
const event = (n: number) => ({
  id: n,
  user: `u${n % 500}`,
  item: `i${((n * 11) % 40) + 1}`,
  behaviour: 'view',
});
const metric = async (name: string): Promise<number> =>
  Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await client.metrics())?.[1]);
const learned = async (): Promise<void> => {
  while ((await metric('recsys_learner_lag_events')) > 0) await new Promise((done) => setTimeout(done, 50));
};
for (let n = 0; n < total; n += 500) {
  await client.events(Array.from({ length: 500 }, (_, i) => event(n + i)));
  await learned();
}

let next = total;
/** One list and one event after the other, for as long as `going` says. */
async function traffic(what: string, going: () => Promise<boolean>): Promise<void> {
  const [lists, events]: [number[], number[]] = [[], []];
  const timed = async (into: number[], work: Promise<unknown>, start = performance.now()): Promise<void> => {
    await work;
    into.push(performance.now() - start);
  };
  const start = performance.now();
  while (await going()) {
    for (let i = 0; i < 20; i++) {
      await timed(lists, client.recommendations(`u${next % 500}`));
      await timed(events, client.event(event(next++)));
    }
  }
  const said = (times: number[]): string => {
    times.sort((a, b) => a - b);
    const at = (share: number): string => times[Math.floor((times.length - 1) * share)]!.toFixed(1);
    return `p50 ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)} ms`;
  };
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${what} (${seconds} s): lists ${said(lists)}; events ${said(events)}`);
}
let rounds = 0;
await traffic('before', async () => rounds++ < 50);
await client.eraseUser('u7');
await traffic('while rebuilding', async () => (await metric('recsys_rebuild_due')) === 1);
client.close();
child.kill('SIGTERM');
console.log(`exit code ${(await ended).code}`);
await rm(dir, { recursive: true });
