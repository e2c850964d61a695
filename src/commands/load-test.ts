import { join } from 'node:path';
import { readDataset } from '../data/read.js';
import { RecsysError } from '../errors.js';
import { withOutputDirectory, writeFileAtomic } from '../storage/atomic.js';
import { EVENT_CONNECTIONS, loadTest } from '../traffic/load.js';
import { datasetPopulation, type Population, servicePopulation } from '../traffic/population.js';
import { type LoadTestConfig, loadTestSchema } from '../traffic/schema.js';
import { asRecsysError, clientOf, requireReady } from '../traffic/service.js';
import { emptyFile, linesOf } from './histories.js';
import { loadReport, loadText } from './load-view.js';
import { defineStage, type StageRun } from './stage.js';

type Run = StageRun<LoadTestConfig>;

/** `recsys load-test --to URL` */
export default defineStage({
  name: 'load-test',
  describe: 'ask a service as many users would, and take the times',
  schema: loadTestSchema,
  flags: {
    to: { key: 'to', describe: 'address of the service', type: 'string' },
    data: { key: 'data', describe: 'dataset whose users ask, and whose events are sent', type: 'string' },
    users: { key: 'users', describe: 'text file with one user id a line: who asks', type: 'string' },
    connections: { key: 'connections', describe: 'requests under way at a time', type: 'number' },
    rate: {
      key: 'rate',
      describe: 'requests a second, begun on time; absent: as fast as it goes',
      type: 'number',
    },
    events: { key: 'events', describe: 'events a second sent alongside', type: 'number' },
    batch: { key: 'batch', describe: 'events in one request', type: 'number' },
    warmup: { key: 'warmup', describe: 'seconds before anything is counted', type: 'number' },
    duration: { key: 'duration', describe: 'seconds that are counted', type: 'number' },
    k: { key: 'k', describe: 'items asked for', type: 'number' },
  },
  defaultOut: 'load-test',
  async run(run) {
    const { config, flags, signal } = run;
    const start = performance.now();
    const out = flags.out!;
    const apiKey = process.env.RECSYS_API_KEY;
    const client = (connections: number) => clientOf({ ...config, connections, apiKey });
    const clients = {
      ...{ requests: client(config.connections), events: client(EVENT_CONNECTIONS), probes: client(1) },
    };
    try {
      return await withOutputDirectory(out, { force: flags.force, resume: false }, async (partial) => {
        await requireReady(clients.probes, config.to);
        const population = await populationOf(run, clients.probes);
        const began = new Date();
        const name = `load-test-${began.getTime().toString(36)}`;
        const { result, curves } = await loadTest(clients, population, config, name, run);
        if (signal.aborted) throw new RecsysError('INTERRUPTED', 'the load test was interrupted');
        if (result.events?.accepted === 0) run.log('warn', noneTaken(result.errors));
        const facts = { formatVersion: 1, to: config.to, began: began.toISOString(), config, ...result };
        await writeFileAtomic(join(partial, 'load-test.json'), `${JSON.stringify(facts, null, 2)}\n`);
        const { writeReport } = await import('../report/report.js');
        await writeReport(partial, loadReport(result, curves, config));
        return {
          path: out,
          metrics: metricsOf(result),
          ...result,
          seconds: (performance.now() - start) / 1000,
          text: `${loadText(result)}\n\n${join(out, 'report.html')}`,
        };
      });
    } catch (error) {
      throw asRecsysError(error);
    } finally {
      for (const one of Object.values(clients)) one.close();
    }
  },
});

async function populationOf({ config, log }: Run, client: ReturnType<typeof clientOf>): Promise<Population> {
  if (config.data !== undefined) {
    if (config.users !== undefined) throw new RecsysError('USAGE', 'say either --data or --users');
    return datasetPopulation(await readDataset(config.data));
  }
  let users: string[] | undefined;
  if (config.users !== undefined) {
    users = [];
    for await (const line of linesOf(config.users)) if (line.trim() !== '') users.push(line.trim());
    if (users.length === 0) throw emptyFile(config.users, 'there is no user in it');
  } else
    log(
      'warn',
      'the users are made up, and get popular items until they have events: give --data or --users',
    );
  return servicePopulation(client, users, config.behaviour);
}

function noneTaken(errors: Readonly<Record<string, number>>): string {
  const codes = Object.keys(errors).join(', ');
  return `no event was taken${codes === '' ? '' : ` (${codes})`}: give --data, whose rows have the behaviours, or name one with \`--set behaviour=…\``;
}

function metricsOf(result: Awaited<ReturnType<typeof loadTest>>['result']): Record<string, number> {
  const all = result.routes.filter(({ route }) => route !== 'POST /v1/events');
  const failed = result.routes.filter(({ status }) => status !== 200);
  const main = all.find(({ status }) => status === 200);
  return {
    'requests/s': result.requestsPerSecond,
    ...(main ? { p50: main.p50, p99: main.p99 } : {}),
    errors: failed.reduce((sum, { count }) => sum + count, 0),
  };
}
