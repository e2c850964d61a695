import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clicksSchema } from '../../src/online/clicks/schema.js';
import { guardSchema } from '../../src/online/guard/schema.js';
import type { OnlineLearner } from '../../src/online/learner.js';
import { listsSchema } from '../../src/online/lists/schema.js';
import { ServiceMetrics } from '../../src/online/metrics.js';
import { learningSchema, qualitySchema, requestSchema, retentionSchema } from '../../src/online/schema.js';
import { RecommenderService } from '../../src/online/service.js';
import type { Result } from './learner.js';
import type { ClickStream } from './stream.js';

/** Events of a request. */
export const REQUEST = 1000;

/** Requests under way. */
export const TOGETHER = 4;

/** Sends requests in order, a few under way at a time. @param pause awaited before each */
export async function inTurn(
  events: number,
  send: (from: number) => Promise<unknown>,
  pause: () => Promise<void> = async () => {},
): Promise<void> {
  const under: Promise<unknown>[] = [];
  for (let from = 0; from < events; from += REQUEST) {
    await pause();
    under.push(send(from));
    if (under.length >= TOGETHER) await under.shift();
  }
  await Promise.all(under);
}

/** Events as the service takes them: a rating is the value. */
export const eventsOf = ({ users, items, labels, catalogue }: ClickStream, from: number) =>
  users.slice(from, from + REQUEST).map((user, i) => ({
    id: `e${from + i}`,
    user,
    item: catalogue.items[items[from + i]!]!,
    behaviour: catalogue.behaviours[0]!,
    time: 1_700_000_000_000 + from + i,
    value: labels[from + i]!,
  }));

/** What of `recsys serve-online` is on besides the click model: events are kept, the model that ranks stays as it is. */
const quiet = (items: number): OnlineLearner => ({
  name: 'none',
  length: 1,
  learn: async (examples) => examples.map(() => ({ status: 'skipped', reason: 'no model' }) as const),
  score: async (queries) => new Float32Array(queries.length * items),
  snapshot: async () => ({ parameters: new Map(), optimizer: new Map(), introduced: new Uint8Array(items) }),
  restore: () => {},
  dispose: () => {},
});

/** The service in this process: each event journalled (on the disk before it is acknowledged), put into its user's history, and learned in that order. */
export async function learnJournalled(stream: ClickStream): Promise<Result> {
  const events = stream.users.length;
  const directory = await mkdtemp(join(tmpdir(), 'recsys-clicks-'));
  const service = await RecommenderService.start({
    catalogue: stream.catalogue,
    learner: quiet(stream.catalogue.items.length),
    journal: directory,
    durability: 'always',
    syncInterval: 100,
    baseVersion: 'bench',
    learning: learningSchema.parse({ enabled: false, batch: 256 }),
    retention: retentionSchema.parse({ history: 50 }),
    requests: requestSchema.parse({}),
    // The mean over all of the stream.
    quality: { ...qualitySchema.parse({ arms: false, share: 0 }), window: events },
    lists: listsSchema.parse({}),
    clicks: clicksSchema.parse({ enabled: true, minimumValue: 1 }),
    guard: guardSchema.parse({ userBudget: { events: 0 } }),
    metrics: new ServiceMetrics(),
    context: { signal: new AbortController().signal, progress: () => {}, log: () => {} },
  });
  const start = performance.now();
  await inTurn(
    events,
    (from) => service.accept(eventsOf(stream, from)),
    async () => {
      if (service.lag > 10 * REQUEST) await service.idle();
    },
  );
  await service.idle();
  const seconds = (performance.now() - start) / 1000;
  const { logLoss } = service.clicks!.quality.figures();
  await service.close();
  await rm(directory, { recursive: true });
  return { who: 'recsys, service in process', events, seconds, logLoss };
}
