import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { clicksSchema } from '../../src/online/clicks/schema.js';
import { guardSchema } from '../../src/online/guard/schema.js';
import { buildServer } from '../../src/online/http/server.js';
import type { Timeouts } from '../../src/online/http/timeouts.js';
import type {
  Judge,
  LearnExample,
  LearnerState,
  LearnOutcome,
  OnlineLearner,
} from '../../src/online/learner.js';
import { listsSchema } from '../../src/online/lists/schema.js';
import { ServiceMetrics } from '../../src/online/metrics.js';
import { learningSchema, qualitySchema, requestSchema, retentionSchema } from '../../src/online/schema.js';
import type { Security } from '../../src/online/security/security.js';
import { RecommenderService } from '../../src/online/service.js';
import type { ServiceOptions } from '../../src/online/service-options.js';
import type { Catalogue, StageContext } from '../../src/types.js';
import { noFeatures } from '../suites/fixtures.js';

/** Users u1 … and items i1 …; item i1 is the most popular. */
export function catalogue(
  users: number,
  items: number,
  behaviours: readonly string[] = ['view', 'buy'],
): Catalogue {
  const names = (prefix: string, n: number): string[] => [
    '',
    ...Array.from({ length: n }, (_, i) => `${prefix}${i + 1}`),
  ];
  return {
    users: names('u', users),
    items: names('i', items),
    behaviours,
    titles: names('Title ', items),
    itemFeatures: noFeatures(items + 1),
    userFeatures: noFeatures(users + 1),
    itemCounts: Float32Array.from({ length: items + 1 }, (_, i) => (i === 0 ? 0 : items - i + 1)),
  };
}

/** A learner that can be checked by hand: score(j) = how often j followed the user's last item, plus its popularity / 1000. */
export class CountingLearner implements OnlineLearner {
  readonly name = 'counting';
  readonly length = 10;
  readonly updates: string[][] = [];
  private readonly counts: Float32Array;

  constructor(
    private readonly of: Catalogue,
    from?: LearnerState,
  ) {
    this.counts = Float32Array.from(
      from?.parameters.get('counts')?.data ?? new Float32Array(of.items.length ** 2),
    );
  }

  async learn(examples: readonly LearnExample[], _judge?: Judge): Promise<LearnOutcome[]> {
    this.updates.push(examples.map(({ event }) => event.id));
    for (const { query, item, weight } of examples) {
      const last = query.items.at(-1) ?? 0;
      this.counts[last * this.of.items.length + item]! += weight;
    }
    return examples.map(() => ({ status: 'learned', loss: 1 }) as const);
  }

  async score(queries: Parameters<OnlineLearner['score']>[0]) {
    const columns = this.of.items.length;
    const out = new Float32Array(queries.length * columns);
    queries.forEach(({ items }, row) => {
      const last = items.at(-1) ?? 0;
      for (let j = 0; j < columns; j++) {
        out[row * columns + j] = this.counts[last * columns + j]! + this.of.itemCounts[j]! / 1000;
      }
    });
    return out;
  }

  async snapshot(): Promise<LearnerState> {
    const counts = Float32Array.from(this.counts);
    return {
      parameters: new Map([['counts', { dtype: 'F32', shape: [counts.length], data: counts }]]),
      optimizer: new Map(),
      introduced: new Uint8Array(this.of.items.length).fill(1),
    };
  }

  restore({ parameters }: LearnerState): void {
    this.counts.set(parameters.get('counts')!.data as Float32Array);
  }

  dispose(): void {}
}

/** A context that keeps what was logged. */
export function recordingContext(signal = new AbortController().signal): StageContext & { lines: string[] } {
  const lines: string[] = [];
  return { lines, signal, progress() {}, log: (level, message) => void lines.push(`${level}: ${message}`) };
}

export async function temporary(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'recsys-online-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

export type Overrides = Partial<
  Pick<
    ServiceOptions,
    | 'catalogue'
    | 'known'
    | 'base'
    | 'learner'
    | 'context'
    | 'warm'
    | 'from'
    | 'metrics'
    | 'questions'
    | 'durability'
    | 'syncInterval'
    | 'files'
    | 'frozen'
    | 'good'
    | 'alerted'
    | 'serving'
    | 'retrieval'
    | 'held'
  > & {
    learning: object;
    /** Of `startServer`. */
    security: Security;
    timeouts: Timeouts;
    now: () => number;
    retention: object;
    requests: object;
    quality: object;
    lists: object;
    clicks: object;
    guard: object;
  }
>;

/** A service over a directory, with the counting learner unless another is given. */
export async function startService(journal: string, overrides: Overrides = {}) {
  const known = overrides.catalogue ?? catalogue(3, 20);
  const learner = overrides.learner ?? new CountingLearner(known);
  const metrics = overrides.metrics ?? new ServiceMetrics();
  const service = await RecommenderService.start({
    context: recordingContext(),
    durability: 'always',
    syncInterval: 100,
    ...overrides,
    catalogue: known,
    learner,
    journal,
    metrics,
    baseVersion: 'base',
    learning: learningSchema.parse(overrides.learning),
    retention: retentionSchema.parse(overrides.retention),
    requests: requestSchema.parse(overrides.requests),
    quality: qualitySchema.parse(overrides.quality),
    lists: listsSchema.parse(overrides.lists),
    clicks: clicksSchema.parse(overrides.clicks),
    guard: guardSchema.parse(overrides.guard),
  });
  return { service, learner, metrics };
}

export const NOW = 1_700_000_000_000;

/** The HTTP interface over a fresh service; closed after the test. */
export async function startServer(t: TestContext, overrides: Overrides = {}) {
  const started = await startService(await temporary(t), overrides);
  const context = overrides.context ?? recordingContext();
  const app = await buildServer({
    service: started.service,
    metrics: started.metrics,
    version: '0',
    bodyBytes: requestSchema.parse(overrides.requests).bodyBytes,
    log: context.log,
    now: overrides.now ?? (() => NOW),
    ...(overrides.security ? { security: overrides.security } : {}),
    ...(overrides.timeouts ? { timeouts: overrides.timeouts } : {}),
  });
  t.after(async () => {
    await app.close();
    await started.service.close();
  });
  return { ...started, app };
}

export async function post(app: FastifyInstance, url: string, payload: unknown) {
  const response = await app.inject({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/json' },
    payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
  });
  return { status: response.statusCode, body: response.json(), headers: response.headers };
}

export const event = (id: string | number, item: string, user = 'new') => ({
  id,
  user,
  item,
  behaviour: 'view',
});
