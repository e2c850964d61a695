/**
 * What each kind of learning earns: the rows of a dataset's part, in order of time, through a service in this process, event by event as
 * `serve-online` would take them. Four arms rank each event before it is learned; means with 95 % intervals over users.
 *   npx tsx bench/arms.ts --model runs/…/model --data runs/…/stream [--part test] [--config serve.yaml] [--learning '{…}'] [--json]
 * The first event on an item is a miss of every arm; later ones are misses of those whose model does not know it. Choose settings on `--part validation`.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { selectBackend } from '../src/compute/select.js';
import { type Dataset, SPLIT } from '../src/data/dataset.js';
import { readDataset } from '../src/data/read.js';
import { restoreModel } from '../src/model/restore.js';
import { takesItems, withRoom } from '../src/model/room.js';
import { clicksSchema } from '../src/online/clicks/schema.js';
import type { OnlineEvent } from '../src/online/events.js';
import { frozenModel } from '../src/online/frozen.js';
import { guardSchema } from '../src/online/guard/schema.js';
import type { Interval } from '../src/online/intervals.js';
import { listsSchema } from '../src/online/lists/schema.js';
import { ServiceMetrics } from '../src/online/metrics.js';
import { modelLearner } from '../src/online/model-learner.js';
import { learningSchema, qualitySchema, requestSchema, retentionSchema } from '../src/online/schema.js';
import { RecommenderService } from '../src/online/service.js';
import { readCheckpoint, versionOf } from '../src/storage/checkpoint.js';

const { values: flags } = parseArgs({
  options: {
    model: { type: 'string' },
    data: { type: 'string' },
    part: { type: 'string', default: 'test' },
    config: { type: 'string' },
    learning: { type: 'string', default: '{}' },
    limit: { type: 'string', default: 'Infinity' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
if (flags.model === undefined || flags.data === undefined || !(flags.part in SPLIT))
  throw new Error('--model names a checkpoint, --data a prepared dataset, --part one of its parts');

const part = SPLIT[flags.part as keyof typeof SPLIT];
const config = flags.config ? parse(await readFile(flags.config, 'utf8')) : {};
const learning = learningSchema.parse({ ...config.learning, ...JSON.parse(flags.learning) });
const quality = {
  ...qualitySchema.parse({ ...config.quality, arms: true, share: 1 }),
  window: Number.POSITIVE_INFINITY,
};
const seed = Number(flags.seed);

await selectBackend();
const checkpoint = await readCheckpoint(flags.model);
const dataset = await readDataset(flags.data);
const known = checkpoint.catalogue.items.length;
const model = restoreModel(checkpoint);
const room = takesItems(model.inits) ? learning.newItems : 0;
const restored = withRoom(model, known + room, seed, flags.model);
const directory = await mkdtemp(join(tmpdir(), 'recsys-arms-'));
const service = await RecommenderService.start({
  catalogue: restored.catalogue,
  known,
  learner: modelLearner(restored, learning, seed, { known }),
  frozen: frozenModel(restoreModel(checkpoint)),
  journal: join(directory, 'journal'),
  durability: 'none',
  syncInterval: 1000,
  baseVersion: versionOf(checkpoint),
  learning,
  retention: retentionSchema.parse(config.retention),
  requests: requestSchema.parse({}),
  quality,
  lists: listsSchema.parse({}),
  clicks: clicksSchema.parse({}),
  guard: guardSchema.parse({ action: 'alert' }),
  warm: (histories) => {
    const rows = new Map(checkpoint.catalogue.items.map((id, i) => [id, i]));
    for (const row of inOrder(dataset)) {
      const { item, user, behaviour, time, value, split } = dataset.interactions;
      const index = rows.get(dataset.catalogue.items[item[row]!]!) ?? 0;
      const kind = checkpoint.catalogue.behaviours.indexOf(dataset.catalogue.behaviours[behaviour[row]!]!);
      if (split[row]! < part && index > 0 && kind >= 0)
        histories.append(dataset.catalogue.users[user[row]!]!, index, kind, time[row]!, value[row]!);
    }
  },
  metrics: new ServiceMetrics(),
  context: {
    signal: new AbortController().signal,
    progress: () => {},
    log: (level, message) => {
      if (level === 'warn') console.error(message);
    },
  },
});

const start = performance.now();
let events = 0;
let waiting: OnlineEvent[] = [];
/** As a service does under load: an update has as many events as it may. */
const send = async (): Promise<void> => {
  await service.accept(waiting);
  waiting = [];
  await service.idle();
};
const before = new Set<string>();
const users = new Set<string>();
for (const row of inOrder(dataset)) {
  const { split, user } = dataset.interactions;
  if (split[row]! < part) before.add(dataset.catalogue.users[user[row]!]!);
  if (split[row] !== part || events >= Number(flags.limit)) continue;
  const event = eventOf(dataset, row);
  users.add(event.user);
  waiting.push(event);
  events++;
  if (waiting.length === learning.batch) await send();
}
if (waiting.length > 0) await send();
const { prequential } = service;
const result = {
  model: flags.model,
  data: dataset.manifest.fingerprint,
  part: flags.part,
  learning,
  events,
  ranked: prequential.count,
  users: users.size,
  unknownUsers: [...users].filter((user) => !before.has(user)).length / users.size,
  unknownItems: prequential.unknown / prequential.count,
  arms: prequential.quality(),
  differences: prequential.differences('frozen'),
  machine: `${cpus()[0]?.model.trim()}, ${cpus().length} cores`,
};
await service.close();
await rm(directory, { recursive: true });

if (flags.json) console.log(JSON.stringify(result, null, 2));
else {
  const text = ({ mean, low, high }: Interval) =>
    `${mean.toFixed(4)} [${low.toFixed(4)}, ${high.toFixed(4)}]`;
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  console.log(
    `${result.ranked} events of ${result.users} users ranked; ${percent(result.unknownUsers)} of the users and ${percent(result.unknownItems)} of the events are the first on an item, or on one there is no room for`,
  );
  console.log(
    '| arm | NDCG@10 | log-loss | NDCG@10 − frozen | log-loss − frozen |\n| --- | --- | --- | --- | --- |',
  );
  for (const { arm, ndcg, logLoss } of result.arms) {
    const difference = result.differences.find((one) => one.arm === arm);
    console.log(
      `| ${arm} | ${text(ndcg)} | ${text(logLoss)} | ${difference ? text(difference.ndcg) : ''} | ${difference ? text(difference.logLoss) : ''} |`,
    );
  }
  console.log(`${Math.round((performance.now() - start) / 1000)} s`);
}

/** Rows in order of time; those of the same time keep their order. */
function inOrder({ interactions: { length, time } }: Dataset): number[] {
  return Array.from({ length }, (_, row) => row).sort((a, b) => time[a]! - time[b]! || a - b);
}

function eventOf({ interactions, catalogue }: Dataset, row: number): OnlineEvent {
  const { user, item, behaviour, time, value } = interactions;
  return {
    id: `row-${row}`,
    user: catalogue.users[user[row]!]!,
    item: catalogue.items[item[row]!]!,
    behaviour: catalogue.behaviours[behaviour[row]!]!,
    time: time[row]!,
    ...(Number.isNaN(value[row]!) ? {} : { value: value[row]! }),
  };
}
