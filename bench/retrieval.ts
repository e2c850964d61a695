/**
 * What a list takes out of how many items, every one of them scored: `npx tsx bench/retrieval.ts [--sizes 10000,100000] [--models linear] [--index] [--usearch folder]`,
 * after `npm run build`. The service is another process, asked for one list after the other; with `--index` also one with `retrieval.kind: usearch`. With the folder of the package `usearch`, its index of as many
 * vectors of the same width is beside it: HNSW, inner product, half precision, one thread.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { RecsysClient } from '../src/client/index.js';
import type { ParameterInits } from '../src/compute/parameters.js';
import { selectBackend } from '../src/compute/select.js';
import { Random } from '../src/random.js';
import { writeTinyCheckpoint } from '../test/online/checkpoint-fixture.js';
import { catalogue } from '../test/online/fixtures.js';
import { startService } from '../test/suites/binary.js';

const WIDTH = 64;
const ASKED = 200;
const CENTRES = 100;
const MODELS = {
  linear: { name: 'linear', width: WIDTH, length: 20 },
  transformer: {
    ...{ name: 'transformer', width: WIDTH, depth: 1, heads: 1, length: 20 },
    itemAttributes: false,
  },
};
const { values: flags } = parseArgs({
  options: {
    sizes: { type: 'string', default: '10000,100000,1000000' },
    usearch: { type: 'string' },
    index: { type: 'boolean', default: false },
    models: { type: 'string', default: Object.keys(MODELS).join() },
  },
});
await selectBackend('cpu');

const told = (times: number[]): string => {
  times.sort((a, b) => a - b);
  const at = (share: number): string => times[Math.floor((times.length - 1) * share)]!.toFixed(1);
  return `p50 ${at(0.5)}, p99 ${at(0.99)} ms`;
};

async function timed(count: number, work: (n: number) => unknown): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < count; n++) {
    const start = performance.now();
    await work(n);
    times.push(performance.now() - start);
  }
  return times;
}

/** Vectors as trained models have them: around a hundred centres, an item's as it is read and as it is scored around the same. */
function clustered(inits: ParameterInits): void {
  const rng = new Random(1);
  const centres = Float32Array.from({ length: CENTRES * WIDTH }, () => rng.normal());
  for (const name of ['item.embedding', 'output.embedding']) {
    const { data = new Float32Array(0) } = inits.get(name) ?? {};
    for (let i = 0; i < data.length; i += WIDTH) {
      const centre = ((i / WIDTH) % CENTRES) * WIDTH;
      for (let d = 0; d < WIDTH; d++) data[i + d] = 0.3 * (centres[centre + d]! + 0.5 * rng.normal());
    }
  }
}

/** Lists of users with ten events each, on items around two centres: every item scored, and then candidates of an index. */
async function served(name: keyof typeof MODELS, items: number): Promise<string[]> {
  const dir = await mkdtemp(join(tmpdir(), 'recsys-retrieval-'));
  const known = catalogue(5, items);
  await writeTinyCheckpoint(join(dir, 'model'), 1, {}, { model: MODELS[name], known, change: clustered });
  const exact = await timedService(dir, [], async (client) => {
    const rng = new Random(1);
    for (let u = 0; u < 20; u++)
      await client.events(
        Array.from({ length: 10 }, (_, n) => ({
          ...{ id: u * 10 + n, user: `u${u}`, behaviour: 'view' },
          item: `i${CENTRES * rng.int(items / CENTRES) + 1 + ((u + 7 * (n % 2)) % CENTRES)}`,
        })),
      );
  });
  const lines = [`exact: ${exact.told}`];
  if (flags.index) {
    const index = ['--set', 'retrieval.kind=usearch'];
    const first = await timedService(dir, index, made);
    const found = first.lists.flatMap((list, n) => list.filter((item) => exact.lists[n]!.includes(item)));
    const recall = ((100 * found.length) / exact.lists.flat().length).toFixed(1);
    const again = await timedService(dir, index, made);
    lines.push(`usearch: ${first.told}, recall@20 ${recall} %; started again: ${again.told}`);
  }
  await rm(dir, { recursive: true });
  return lines;
}

/** Resolves once lists are made with an index. */
async function made(_: RecsysClient, url: string): Promise<void> {
  while (!/^recsys_retrieval_ready 1$/m.test(await (await fetch(`${url}/metrics`)).text())) await sleep(200);
}

/** Times of lists, and one list of each user. @param prepare what comes before */
async function timedService(
  dir: string,
  more: readonly string[],
  prepare: (client: RecsysClient, url: string) => Promise<void>,
) {
  const settings = ['--set', 'quality.arms=false', '--set', 'requests.budgetMs=60000', ...more];
  const began = performance.now();
  const seconds = (): string => ((performance.now() - began) / 1000).toFixed(1);
  const { child, ended, url, pid } = await startService(dir, 'state', settings, {}, 'tensorflow');
  if (url === '') throw new Error((await ended).stderr);
  const start = seconds();
  const client = new RecsysClient({ url, patience: 0 });
  await prepare(client, url);
  const prepared = seconds();
  const ask = (n: number): Promise<unknown> => client.recommendations(`u${n % 20}`, { k: 20 });
  await timed(20, ask);
  const times = await timed(ASKED, ask);
  const lists: string[][] = [];
  for (let n = 0; n < 20; n++) {
    const { items } = await client.recommendations(`u${n}`, { k: 20 });
    lists.push(items.map(({ item }) => item));
  }
  const { VmRSS } = memory(await readFile(`/proc/${pid}/status`, 'utf8'));
  client.close();
  child.kill('SIGTERM');
  await ended;
  return {
    lists,
    told: `${told(times)}, answers after ${start} s, all ready after ${prepared} s, ${VmRSS} MB`,
  };
}

const memory = (status: string) => ({
  VmRSS: Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024),
});

interface UsearchIndex {
  add(keys: BigUint64Array, vectors: Float32Array, threads: number): void;
  remove(key: bigint): number;
  search(vectors: Float32Array, k: number, threads: number): { readonly keys: BigUint64Array };
}

/** An index of vectors as a trained model has them: around a hundred centres. */
function indexed(folder: string, items: number): string {
  const { Index } = createRequire(import.meta.url)(folder) as {
    Index: new (settings: object) => UsearchIndex;
  };
  const index = new Index({ metric: 'ip', dimensions: WIDTH, connectivity: 16, quantization: 'f16' });
  const rng = new Random(1);
  const centres = Float32Array.from({ length: 100 * WIDTH }, () => rng.normal());
  const vectors = new Float32Array(items * WIDTH);
  for (let i = 0; i < items; i++) {
    const centre = rng.int(100) * WIDTH;
    for (let d = 0; d < WIDTH; d++) vectors[i * WIDTH + d] = centres[centre + d]! + 0.5 * rng.normal();
  }
  const began = performance.now();
  index.add(
    BigUint64Array.from({ length: items }, (_, i) => BigInt(i)),
    vectors,
    1,
  );
  const built = ((performance.now() - began) / 1000).toFixed(1);
  const queries = Float32Array.from({ length: ASKED * WIDTH }, (_, i) =>
    i % WIDTH === 0
      ? rng.normal()
      : centres[(Math.floor(i / WIDTH) % 100) * WIDTH + (i % WIDTH)]! + rng.normal(),
  );
  const query = (n: number): Float32Array => queries.subarray(n * WIDTH, (n + 1) * WIDTH);
  const found: BigUint64Array[] = [];
  const lookups = [] as number[];
  for (let n = 0; n < ASKED; n++) {
    const start = performance.now();
    found.push(index.search(query(n), 100, 1).keys);
    lookups.push(performance.now() - start);
  }
  let recalled = 0;
  for (let n = 0; n < ASKED; n++) {
    const scores = Float64Array.from({ length: items }, (_, i) => {
      let sum = 0;
      for (let d = 0; d < WIDTH; d++) sum += vectors[i * WIDTH + d]! * queries[n * WIDTH + d]!;
      return sum;
    });
    const twentieth = Float64Array.from(scores).sort().at(-20)!;
    for (const key of found[n]!.slice(0, 20)) if (scores[Number(key)]! >= twentieth) recalled++;
  }
  const rows = 500;
  const changed = performance.now();
  for (let i = 0; i < rows; i++) {
    index.remove(BigInt(i));
    index.add(BigUint64Array.of(BigInt(i)), vectors.subarray(i * WIDTH, (i + 1) * WIDTH), 1);
  }
  const row = ((performance.now() - changed) / rows).toFixed(2);
  const recall = ((100 * recalled) / (ASKED * 20)).toFixed(1);
  return `${told(lookups)}, recall@20 ${recall} %, built in ${built} s, ${row} ms a changed row`;
}

console.log(`${cpus()[0]?.model.trim()}, ${cpus().length} cores; vectors of ${WIDTH} numbers`);
for (const items of flags.sizes.split(',').map(Number)) {
  for (const name of flags.models.split(',') as (keyof typeof MODELS)[])
    for (const line of await served(name, items))
      console.log(`${items.toLocaleString('en')} items, ${name}, ${line}`);
  if (flags.usearch !== undefined)
    console.log(`${items.toLocaleString('en')} items, usearch alone: ${indexed(flags.usearch, items)}`);
}
