import { readDataset } from '../data/read.js';
import { RecsysError } from '../errors.js';
import { formatCount } from '../report/format.js';
import { datasetEvents } from '../traffic/dataset.js';
import { readLog, type TimedEvent } from '../traffic/log.js';
import { type ReplayCounts, replay } from '../traffic/replay.js';
import { type ReplayConfig, replaySchema } from '../traffic/schema.js';
import { clientOf, requireReady } from '../traffic/service.js';
import { defineStage, type StageRun } from './stage.js';

type Run = StageRun<ReplayConfig>;

/** `recsys replay <events> --to URL` */
export default defineStage({
  name: 'replay',
  describe: 'send a log of events to a service, in order of time',
  schema: replaySchema,
  flags: {
    to: { key: 'to', describe: 'address of the service', type: 'string' },
    data: { key: 'data', describe: 'prepared dataset to send rows of, instead of a log', type: 'string' },
    part: { key: 'part', describe: 'which rows of --data: train, validation, test, all', type: 'string' },
    speed: { key: 'speed', describe: 'times as fast as the events happened, or max', type: 'string' },
    batch: { key: 'batch', describe: 'most events in one request', type: 'number' },
    connections: { key: 'connections', describe: 'requests under way at a time', type: 'number' },
    limit: { key: 'limit', describe: 'send the first so many events only', type: 'number' },
  },
  positionals: [{ name: 'events', key: 'events', describe: 'log to send: CSV, JSON lines or Parquet' }],
  async run(run) {
    const { config } = run;
    const { events, timed } = await eventsOf(run);
    let retries = 0;
    const client = clientOf({ ...config, apiKey: process.env.RECSYS_API_KEY }, ({ message }) => {
      if (retries++ % 100 === 0) run.log('info', `trying again: ${message}`);
    });
    try {
      await requireReady(client, config.to);
      const start = performance.now();
      const counts = await replay(events, client, { ...config, timed }, run);
      const seconds = (performance.now() - start) / 1000;
      const { reasons, ...numbers } = counts;
      return {
        metrics: { events: events.length, ...numbers, retries, 'events/s': events.length / seconds },
        reasons,
        seconds,
        text: summary(events.length, counts, seconds),
      };
    } finally {
      client.close();
    }
  },
});

/** What is to be sent, in order of time. */
async function eventsOf(
  run: Run,
): Promise<{ readonly events: readonly TimedEvent[]; readonly timed: boolean }> {
  const { config } = run;
  if (config.data === undefined) {
    const events = inOrder(await readLog(config.events!, config, run), config.limit);
    const last = new Date(events.at(-1)!.time);
    if (last.getUTCFullYear() === 1970)
      run.log('warn', `the last event is of ${last.toISOString()}: is \`timeFormat\` epoch-s?`);
    return { events, timed: true };
  }
  const dataset = await readDataset(config.data);
  const timed = dataset.manifest.time === 'epoch';
  if (!timed && config.speed !== 'max')
    throw new RecsysError('USAGE', `--speed ${config.speed}: the dataset has no times`, {
      remedy: 'Leave it out: its events are then sent in their order, as fast as they are acknowledged.',
    });
  const events = inOrder(datasetEvents(dataset, config.part), config.limit);
  if (events.length === 0)
    throw new RecsysError('DATA_EMPTY', `${config.data} has no rows for ${config.part}`);
  return { events, timed };
}

const inOrder = (events: TimedEvent[], limit: number | undefined): TimedEvent[] =>
  events.sort((a, b) => a.time - b.time).slice(0, limit);

function summary(events: number, counts: ReplayCounts, seconds: number): string {
  const { accepted, duplicates, refused, reasons } = counts;
  const parts = [`${formatCount(accepted)} accepted`, `${formatCount(duplicates)} duplicates`];
  const lines = [
    `${formatCount(events)} events: ${parts.join(', ')}, ${formatCount(refused)} refused; ${seconds.toFixed(1)} s, ${formatCount(events / seconds)} events/s`,
    ...[...reasons].map(([reason, count]) => `refused ${formatCount(count)}: ${reason}`),
  ];
  return lines.join('\n');
}
