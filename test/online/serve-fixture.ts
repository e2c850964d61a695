import assert from 'node:assert/strict';
import { selectBackend } from '../../src/compute/select.js';
import { checkpointsSchema } from '../../src/online/checkpoints/schema.js';
import { clicksSchema } from '../../src/online/clicks/schema.js';
import { explorationSchema } from '../../src/online/exploration/schema.js';
import { guardSchema } from '../../src/online/guard/schema.js';
import { alertsSchema } from '../../src/online/guard/webhook.js';
import { listsSchema } from '../../src/online/lists/schema.js';
import { retrievalSchema } from '../../src/online/retrieval/schema.js';
import { learningSchema, qualitySchema, requestSchema, retentionSchema } from '../../src/online/schema.js';
import { serve } from '../../src/online/serve.js';
import type { ServeOptions } from '../../src/online/serve-options.js';
import { readCheckpoint } from '../../src/storage/checkpoint.js';
import { recordingContext } from './fixtures.js';

/** A service in this process, over HTTP. */
export interface Running {
  readonly url: string;
  readonly lines: string[];
  /** How it ends. */
  readonly done: ReturnType<typeof serve>;
  stop(): ReturnType<typeof serve>;
}

/** Serves a checkpoint on the cpu backend; resolves once requests are answered. */
export async function start(
  model: string,
  state: string,
  over: Partial<ServeOptions> = {},
): Promise<Running> {
  const abort = new AbortController();
  const context = recordingContext(abort.signal);
  const checkpoint = await readCheckpoint(model);
  const backend = await selectBackend('cpu');
  return new Promise((resolve, reject) => {
    const done = serve(
      {
        checkpoint,
        adapters: new Map(),
        budget: {},
        questions: undefined,
        data: undefined,
        dataPart: 'test',
        state,
        host: '127.0.0.1',
        port: 0,
        seed: 7,
        durability: 'always',
        syncInterval: 100,
        learning: learningSchema.parse({ learningRate: 0.1 }),
        retention: retentionSchema.parse({}),
        requests: requestSchema.parse({}),
        quality: qualitySchema.parse({}),
        lists: listsSchema.parse({}),
        retrieval: retrievalSchema.parse({}),
        exploration: explorationSchema.parse({}),
        clicks: clicksSchema.parse({}),
        guard: guardSchema.parse({}),
        alerts: alertsSchema.parse({}),
        checkpoints: checkpointsSchema.parse({}),
        backend,
        config: {},
        out: undefined,
        force: false,
        ready: async ({ url }) =>
          resolve({
            url,
            lines: context.lines,
            done,
            stop() {
              abort.abort();
              return done;
            },
          }),
        ...over,
      },
      context,
    );
    done.catch(reject);
  });
}

/** Sends events `from` … of three users. */
export async function send(url: string, from: number, count: number): Promise<void> {
  const events = Array.from({ length: count }, (_, i) => ({
    id: from + i,
    user: `user${(from + i) % 3}`,
    item: `i${(((from + i) * 11) % 40) + 1}`,
    behaviour: 'view',
  }));
  const reply = await fetch(`${url}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(events),
  });
  assert.equal(reply.status, 200, await reply.text());
}

/** The reply without what names the request; `exactly` as bytes. */
export async function lists(url: string): Promise<string> {
  const bodies: string[] = [];
  for (const user of ['user0', 'user1', 'u3', 'nobody']) {
    const text = await (await fetch(`${url}/v1/recommendations?user=${user}&k=20`)).text();
    bodies.push(text.replace(/"requestId":"[^"]*"/, ''));
  }
  return bodies.join('\n');
}

/** Resolves when nothing waits to be learned. */
export async function caughtUp(url: string): Promise<void> {
  for (;;) {
    const text = await (await fetch(`${url}/metrics`)).text();
    if (/recsys_learner_lag_events 0\n/.test(text)) return;
  }
}
