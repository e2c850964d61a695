import { join } from 'node:path';
import { RecsysError } from '../errors.js';
import { withOutputDirectory, writeFileAtomic } from '../storage/atomic.js';
import { type ChaosResult, chaos } from '../traffic/chaos/chaos.js';
import { chaosSchema } from '../traffic/chaos/schema.js';
import { chaosReport, chaosText } from './chaos-view.js';
import { defineStage } from './stage.js';
import { ownArguments } from './tune/child.js';

/** Ids listed of each kind of fault. */
const LISTED = 100;

/** `recsys chaos --model DIR --kills N` */
export default defineStage({
  name: 'chaos',
  describe: 'kill a service of its own again and again, and look whether anything is lost',
  schema: chaosSchema,
  flags: {
    model: { key: 'model', describe: 'checkpoint to serve', type: 'string' },
    data: { key: 'data', describe: 'dataset whose histories are known from the start', type: 'string' },
    service: { key: 'service', describe: 'YAML of `recsys serve-online`: how it is served', type: 'string' },
    state: { key: 'state', describe: 'state directory to begin with; it is copied', type: 'string' },
    kills: { key: 'kills', describe: 'times that the service is killed', type: 'number' },
    failpoints: { key: 'failpoints', describe: 'times that it dies at each named moment', type: 'number' },
    rate: { key: 'rate', describe: 'events a second', type: 'number' },
    batch: { key: 'batch', describe: 'events in one request', type: 'number' },
  },
  defaultOut: 'chaos',
  async run(run) {
    const { config, flags } = run;
    const start = performance.now();
    const out = flags.out!;
    const began = new Date();
    const name = `chaos-${began.getTime().toString(36)}`;
    const result = await withOutputDirectory(out, { force: flags.force, resume: false }, async (partial) => {
      const apiKey = process.env.RECSYS_API_KEY;
      const found = await chaos({ ...config, apiKey }, partial, ownArguments(), name, run);
      const facts = { formatVersion: 1, began: began.toISOString(), config, ...listed(found) };
      await writeFileAtomic(join(partial, 'chaos.json'), `${JSON.stringify(facts, null, 2)}\n`);
      const { writeReport } = await import('../report/report.js');
      await writeReport(partial, chaosReport(found, config));
      return found;
    });
    const report = join(out, 'report.html');
    // The report stands before it is told: it is what one looks at then.
    if (!result.whole) throw new RecsysError('EVENTS_LOST', `${chaosText(result)}\n\n${report}`);
    return {
      path: out,
      metrics: {
        ...{ kills: result.kills.length, acknowledged: result.acknowledged, retries: result.retries },
        ...{ learned: result.learned.killed, lost: 0 },
      },
      seconds: (performance.now() - start) / 1000,
      text: `${chaosText(result)}\n\n${report}`,
    };
  },
});

/** With the first ids of each fault only, and how many there are. */
function listed({ journal, ...rest }: ChaosResult) {
  const short = Object.entries(journal).map(([fault, found]) => [
    fault,
    Array.isArray(found) ? { count: found.length, first: found.slice(0, LISTED) } : found,
  ]);
  return { ...rest, journal: Object.fromEntries(short) };
}
