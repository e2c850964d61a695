import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { RecsysClient } from '../../src/client/client.js';
import { modelSchema } from '../../src/model/registry.js';
import { writeUntrained } from '../serve/checkpoint.js';
import type { Result } from './learner.js';
import { eventsOf, inTurn, TOGETHER } from './service.js';
import type { ClickStream } from './stream.js';

const SETTINGS = [
  ...['clicks.enabled=true', 'clicks.minimumValue=1', 'learning.enabled=false', 'learning.batch=256'],
  ...['quality.arms=false', 'quality.share=0', 'retention.history=50', 'guard.userBudget.events=0'],
];

/** The real server in a process of its own, fed over HTTP by this one: requests of 1,000 events, in order, a few under way at a time. */
export async function learnOverHttp(stream: ClickStream): Promise<Result> {
  const dir = await mkdtemp(join(tmpdir(), 'recsys-clicks-'));
  const config = modelSchema.parse({ name: 'linear', width: 8, length: 10 });
  await writeUntrained(join(dir, 'model'), config, stream.catalogue);
  const ready = join(dir, 'ready.json');
  const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const flags = [
    '--model',
    join(dir, 'model'),
    '--state',
    join(dir, 'state'),
    '--port',
    '0',
    '--backend',
    'cpu',
  ];
  const server = spawn(
    process.execPath,
    [
      ...['--import', 'tsx', main, 'serve-online', ...flags, '--ready-file', ready],
      ...SETTINGS.flatMap((setting) => ['--set', setting]),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  server.stderr.on('data', (chunk) => {
    said += String(chunk);
  });
  try {
    while (!existsSync(ready)) {
      if (server.exitCode !== null) throw new Error(`the service did not start: ${said}`);
      await sleep(50);
    }
    const { url } = JSON.parse(await readFile(ready, 'utf8')) as { url: string };
    const client = new RecsysClient({ url, connections: TOGETHER });
    const events = stream.users.length;
    const start = performance.now();
    await inTurn(events, (from) => client.events(eventsOf(stream, from)));
    while (!/recsys_learner_lag_events 0\n/.test(await client.metrics())) await sleep(5);
    const seconds = (performance.now() - start) / 1000;
    client.close();
    return { who: 'recsys, serve-online over HTTP', events, seconds, logLoss: Number.NaN };
  } finally {
    const ended = server.exitCode === null ? once(server, 'exit') : undefined;
    server.kill('SIGTERM');
    await ended;
    await rm(dir, { recursive: true });
  }
}
