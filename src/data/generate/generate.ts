import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { z } from 'zod';
import { RecsysError } from '../../errors.js';
import { Random } from '../../random.js';
import { sha256File } from '../../storage/hash.js';
import { versions } from '../../storage/versions.js';
import type { StageContext } from '../../types.js';
import { Journey } from './journey.js';
import { type GenerateConfig, generateSchema } from './schema.js';
import { drawUser, type User } from './users.js';
import { AGE_GROUPS, BEHAVIOURS, COUNTRIES } from './vocabulary.js';
import { buildWorld, titleOf, type World } from './world.js';

export const RAW_FORMAT = 1;

/** Files of a generated directory. */
export const FILES = {
  interactions: 'interactions.csv',
  items: 'items.jsonl',
  users: 'users.csv',
  oracle: 'oracle.csv',
} as const;

/** `manifest.json` of a generated directory. */
export const rawManifestSchema = z.object({
  kind: z.literal('raw'),
  formatVersion: z.number().int(),
  createdWith: z.string(),
  config: generateSchema,
  counts: z.object({ users: z.number(), items: z.number(), events: z.number() }),
  files: z.record(z.string(), z.object({ bytes: z.number(), sha256: z.string() })),
});
export type RawManifest = z.infer<typeof rawManifestSchema>;

/**
 * Writes a log of a shop that never was into a directory: interactions.csv (in order of time), items.jsonl, users.csv, oracle.csv
 * (each user's last event ranked by the generator's own probabilities, given everything before it) and manifest.json.
 *
 * The same config gives the same bytes.
 * @throws INTERRUPTED once the signal is aborted
 */
export async function generate(
  config: GenerateConfig,
  outDir: string,
  context: StageContext,
): Promise<RawManifest> {
  const world = buildWorld(config);
  const log = new EventLog();
  const users: User[] = [];
  const oracle = createWriteStream(join(outDir, FILES.oracle));
  oracle.write('user,rank,item,score\n');
  for (let n = 0; n < config.users; n++) {
    if (context.signal.aborted) {
      oracle.destroy();
      throw new RecsysError('INTERRUPTED', 'generate was interrupted');
    }
    const user = drawUser(config, world, n);
    users.push(user);
    const lines = live(world, user, n, config, log);
    if (!oracle.write(lines)) await once(oracle, 'drain');
    if (n % 100 === 99 || n + 1 === config.users)
      context.progress({ task: 'generate', done: n + 1, total: config.users });
  }
  oracle.end();
  await finished(oracle);
  await writeFile(join(outDir, FILES.items), itemLines(world));
  await writeFile(join(outDir, FILES.users), userLines(users));
  await log.write(join(outDir, FILES.interactions), users, world);
  const files: RawManifest['files'] = {};
  for (const name of Object.values(FILES)) {
    const path = join(outDir, name);
    files[name] = { bytes: (await stat(path)).size, sha256: await sha256File(path) };
  }
  const manifest: RawManifest = {
    kind: 'raw',
    formatVersion: RAW_FORMAT,
    createdWith: versions().recsys,
    config,
    counts: { users: users.length, items: world.items.length, events: log.length },
    files,
  };
  await writeFile(join(outDir, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

/** Lets a user live through their events; gives the oracle's lines for the last one. */
function live(world: World, user: User, n: number, config: GenerateConfig, log: EventLog): string {
  const rng = Random.of(config.seed, 'journey', n);
  const journey = new Journey(world, user);
  let last = '';
  user.times.forEach((time, i) => {
    if (i + 1 === user.times.length) last = ranking(journey.distribution(time, config.oracle.behaviours));
    const event = journey.step(time, rng);
    if (event) log.add(time, n, event.item, BEHAVIOURS.indexOf(event.behaviour));
  });
  return last;

  function ranking(probability: Float64Array): string {
    const order = Array.from(probability.keys())
      .filter((item) => probability[item]! > 0)
      .sort((a, b) => probability[b]! - probability[a]! || a - b);
    return order
      .slice(0, config.oracle.k)
      .map((i, r) => `${user.id},${r + 1},${world.items[i]!.id},${probability[i]!.toPrecision(6)}\n`)
      .join('');
  }
}

function itemLines(world: World): string {
  const rows = [...world.items].sort((a, b) => (a.id < b.id ? -1 : 1));
  return rows
    .map((item) => {
      const { name, kinds } = world.tastes[item.taste]!;
      const row = {
        item: item.id,
        title: titleOf(world, item),
        category: name,
        kind: kinds[item.kind],
        brand: world.brands[item.brand]!.name,
        price: item.price,
        released: new Date(item.released).toISOString().slice(0, 10),
        tags: item.tags,
      };
      return `${JSON.stringify(row)}\n`;
    })
    .join('');
}

function userLines(users: readonly User[]): string {
  const rows = users.map(({ id, age, country }) => `${id},${AGE_GROUPS[age]},${COUNTRIES[country]}\n`);
  return `user,age,country\n${rows.join('')}`;
}

/** The events of everybody, to be written in the order of time. */
class EventLog {
  private readonly rows: { time: number; user: number; item: number; behaviour: number }[] = [];

  get length(): number {
    return this.rows.length;
  }

  add(time: number, user: number, item: number, behaviour: number): void {
    this.rows.push({ time, user, item, behaviour });
  }

  async write(path: string, users: readonly User[], world: World): Promise<void> {
    this.rows.sort((a, b) => a.time - b.time || a.user - b.user);
    const out = createWriteStream(path);
    out.write('time,user,item,behaviour\n');
    for (const { time, user, item, behaviour } of this.rows) {
      const line = `${time / 1000},${users[user]!.id},${world.items[item]!.id},${BEHAVIOURS[behaviour]}\n`;
      if (!out.write(line)) await once(out, 'drain');
    }
    out.end();
    await finished(out);
  }
}
