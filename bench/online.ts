/**
 * The click model of `recsys serve-online` against Vowpal Wabbit and River: one stream, the same features (user, item, genres, user × item, user × genre),
 * each event foretold before it is learned; all take turns in one run.
 *   npm run bench:online -- --data path/to/ml-1m [--python <one with vowpalwabbit and river>] [--events n] [--rounds 3] [--json]
 * Of several rounds the fastest counts for each. Without --python ours alone.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { learnOverHttp } from './online/http.js';
import { learnAlone, learnFile, type Result } from './online/learner.js';
import { runPeer } from './online/peers.js';
import { learnJournalled } from './online/service.js';
import { firstEvents, readStream, writeStream } from './online/stream.js';

const { values: flags } = parseArgs({
  options: {
    data: { type: 'string' },
    python: { type: 'string' },
    events: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
});
if (flags.data === undefined) throw new Error('--data <folder of MovieLens 100K or 1M> is needed');

/** Of River, which is slow: its loss is that of these events. */
const RIVER = 200_000;
const BITS = 22;

const whole = readStream(flags.data);
const stream = firstEvents(whole, Number(flags.events ?? whole.users.length));
const short = firstEvents(stream, RIVER);
const folder = await mkdtemp(join(tmpdir(), 'recsys-stream-'));
const file = join(folder, 'stream.vw');
writeStream(stream, file);

/** What is compared with what: ours on River's events, too. */
const contenders: readonly (() => Promise<Result[]>)[] = [
  async () => [learnAlone(stream)],
  async () => [learnFile(file, stream)],
  async () => [{ ...learnAlone(short), who: 'recsys, learner alone, as many events as River' }],
  async () => [await learnJournalled(stream)],
  async () => [await learnOverHttp(stream)],
  ...(flags.python === undefined
    ? []
    : [
        async () => runPeer(flags.python!, 'clicks_vw.py', file, String(BITS)),
        async () => runPeer(flags.python!, 'clicks_river.py', file, String(RIVER)),
      ]),
];

const before = loadavg()[0]!;
const fastest = new Map<string, Result>();
for (let round = 0; round < Number(flags.rounds); round++) {
  for (const contender of contenders)
    for (const result of await contender()) {
      const best = fastest.get(result.who);
      if (!best || result.seconds < best.seconds) fastest.set(result.who, result);
    }
}
await rm(folder, { recursive: true });

const rate = ({ events, seconds }: Result): number => events / seconds;
const all = [...fastest.values()];
/** The learner alone, over as many events where it was measured so. */
const oursLike = ({ events }: Result): Result => all.find((one) => one.events === events) ?? all[0]!;
const rows = all.map((result) => ({
  ...result,
  // NaN is null in JSON.
  eventsPerSecond: Math.round(rate(result)),
  ratio: rate(oursLike(result)) / rate(result),
}));
const machine = { cpu: cpus()[0]!.model, cores: cpus().length, load: [before, loadavg()[0]!] };

if (flags.json) console.log(JSON.stringify({ stream: stream.name, machine, rows }));
else {
  const load = machine.load.map((one) => one.toFixed(1)).join(' → ');
  console.log(`${stream.name}, ${machine.cpu}, ${machine.cores} cores, load ${load}\n`);
  console.log(
    '| contender | events | events/s | log-loss | learner alone / it |\n| --- | ---: | ---: | ---: | ---: |',
  );
  const shown = (n: number) => n.toLocaleString('en');
  for (const { who, events, eventsPerSecond, logLoss, ratio } of rows) {
    const loss = Number.isNaN(logLoss) ? '–' : logLoss.toFixed(4).replace(/^0/, '');
    console.log(`| ${who} | ${shown(events)} | ${shown(eventsPerSecond)} | ${loss} | ${ratio.toFixed(2)} |`);
  }
}
