/**
 * How fast `recsys serve-online` answers, acknowledges, learns and starts: the built service in a process of its own, and a light client in this
 * one, on the same machine.
 *   npm run build && npm run bench:serve-rate [-- --json] [--models linear,transformer] [--items 3416] [--seconds 10] [--replay 1000000] [--quality both]
 *     [--set learning.batch=8] …
 * The models are untrained: what the weights are changes no time. `linear` is that of configs/movielens-1m; the transformer has one block of width 64
 * and reads 50 events. `--rate` begins so many lists a second for the transformer; the others answer as fast as they can.
 * `linear` alone is started with a journal to replay.
 */
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { modelSchema } from '../src/model/registry.js';
import { writeUntrained } from './serve/checkpoint.js';
import { writeJournal } from './serve/journal.js';
import { learned, type Mixed, mixed, type Rate, sendEvents } from './serve/phases.js';
import { startServed } from './serve/service.js';

const { values: flags } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    models: { type: 'string', default: 'linear,transformer' },
    items: { type: 'string', default: '3416' },
    users: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '10' },
    events: { type: 'string', default: '40000' },
    replay: { type: 'string', default: '1000000' },
    quality: { type: 'string', default: 'both' },
    rate: { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
  },
});
const MODELS: Readonly<Record<string, object>> = {
  linear: { name: 'linear', width: 64, length: 50, itemAttributes: false, userAttributes: false },
  transformer: { name: 'transformer', width: 64, depth: 1, heads: 2, length: 50, itemAttributes: false },
};
const population = { users: Number(flags.users), items: Number(flags.items) };
const seconds = Number(flags.seconds);
/** Events wait until they are learned: more than the default may, so that acknowledging is measured, and not learning. */
const QUEUE = 'learning.queue=2000000';

interface Measured {
  readonly model: string;
  readonly quality: boolean;
  readonly load: readonly [number, number];
  readonly batches: Rate;
  /** Events a second that were learned once they had been acknowledged. */
  readonly learnedPerSecond: number;
  /** Processor time of the service for each of them, in microseconds: other work on the machine changes it less than it does the rates. */
  readonly learnedMicroseconds: number;
  readonly singly: Rate;
  readonly mixed: Mixed;
}

interface Started {
  readonly model: string;
  readonly replayed: number;
  readonly replaySeconds: number;
  readonly snapshotSeconds: number;
}

const folder = await mkdtemp(join(tmpdir(), 'recsys-serve-rate-'));
let rooms = 0;
const room = (): string => join(folder, `state-${rooms++}`);

async function rates(model: string, checkpoint: string, quality: boolean): Promise<Measured> {
  const before = loadavg()[0]!;
  const settings = [QUEUE, ...flags.set, `quality.arms=${quality}`, ...(quality ? [] : ['quality.share=0'])];
  const service = await startServed(checkpoint, room(), settings);
  try {
    const { url } = service;
    // Everyone has a history, and everything is compiled, before anything is counted.
    await sendEvents(url, population, { connections: 1, batch: 500, total: 5 * population.users });
    await learned(url);
    await mixed(url, population, { connections: 16, events: 100, batch: 10, seconds: 2 });
    await learned(url);
    const total = Number(flags.events);
    const from = performance.now();
    const cpu = service.cpu();
    const batches = await sendEvents(url, population, { connections: 4, batch: 250, total });
    await learned(url);
    const learnedPerSecond = total / ((performance.now() - from) / 1000);
    const learnedMicroseconds = ((service.cpu() - cpu) / total) * 1e6;
    const singly = await sendEvents(url, population, { connections: 16, batch: 1, seconds: seconds / 2 });
    await learned(url);
    const rate = model === 'linear' || flags.rate === undefined ? undefined : Number(flags.rate);
    const together = await mixed(url, population, { connections: 16, rate, events: 500, batch: 10, seconds });
    const load = [before, loadavg()[0]!] as const;
    return { model, quality, load, batches, learnedPerSecond, learnedMicroseconds, singly, mixed: together };
  } finally {
    await service.stop('SIGKILL');
  }
}

async function starts(model: string, checkpoint: string, events: number): Promise<Started> {
  const state = room();
  await writeJournal(state, { users: 20_000, items: population.items }, { events, batch: 16 });
  const whole = await startServed(checkpoint, state);
  await whole.stop();
  const again = await startServed(checkpoint, state);
  await again.stop('SIGKILL');
  return { model, replayed: events, replaySeconds: whole.seconds, snapshotSeconds: again.seconds };
}

const say = (n: number, digits = 0): string => n.toLocaleString('en', { maximumFractionDigits: digits });
const measured: Measured[] = [];
const started: Started[] = [];
try {
  for (const model of flags.models.split(',')) {
    const checkpoint = join(folder, model);
    await writeUntrained(checkpoint, modelSchema.parse(MODELS[model]), population.items);
    const kinds = flags.quality === 'both' ? [true, false] : [flags.quality === 'on'];
    if (seconds > 0) for (const quality of kinds) measured.push(await rates(model, checkpoint, quality));
    if (Number(flags.replay) > 0 && model === 'linear')
      started.push(await starts(model, checkpoint, Number(flags.replay)));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, client and service together`;
if (flags.json) console.log(JSON.stringify({ machine, items: population.items, measured, started }));
else {
  const cells = ({ perSecond, p50, p99 }: Rate): string =>
    `${say(perSecond)} | ${p50.toFixed(1)} | ${p99.toFixed(1)}`;
  console.log(`${machine}, ${say(population.items)} items\n`);
  if (measured.length > 0)
    console.log(
      '| model | arms | load | | a second | p50 ms | p99 ms |\n| --- | --- | --- | --- | ---: | ---: | ---: |',
    );
  for (const one of measured) {
    const of = `| ${one.model} | ${one.quality ? 'on' : 'off'} | ${one.load.map((x) => x.toFixed(1)).join(' → ')}`;
    const rows: [string, string][] = [
      ['lists, 16 connections, beside 500 events/s', cells(one.mixed.lists)],
      ['events beside lists, tens', cells(one.mixed.events)],
      ['from an event to its list', cells(one.mixed.changed)],
      ['events acknowledged, 250 a request', cells(one.batches)],
      ['events acknowledged, singly', cells(one.singly)],
      ['events acknowledged and learned', `${say(one.learnedPerSecond)} | | `],
      ['µs of processor time for each', `${say(one.learnedMicroseconds)} | | `],
    ];
    for (const [what, figures] of rows) console.log(`${of} | ${what} | ${figures} |`);
  }
  if (started.length > 0) {
    console.log(
      '\n| model | events replayed | start, s | start from a snapshot, s |\n| --- | ---: | ---: | ---: |',
    );
    for (const { model, replayed, replaySeconds, snapshotSeconds } of started)
      console.log(
        `| ${model} | ${say(replayed)} | ${replaySeconds.toFixed(1)} | ${snapshotSeconds.toFixed(1)} |`,
      );
  }
}
