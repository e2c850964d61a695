import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { FILES, generate, type RawManifest, rawManifestSchema } from '../../src/data/generate/generate.js';
import { Journey } from '../../src/data/generate/journey.js';
import { generateSchema } from '../../src/data/generate/schema.js';
import { draw, drawUser } from '../../src/data/generate/users.js';
import { BASKET, BRANDS, TASTES } from '../../src/data/generate/vocabulary.js';
import { buildWorld, titleOf } from '../../src/data/generate/world.js';
import { Random } from '../../src/random.js';
import { context, failure, folder } from './helpers.js';

const SMALL = { users: 120, tastes: 5, brands: 6, events: 14 };

interface Generated {
  readonly manifest: RawManifest;
  readonly text: Readonly<Record<keyof typeof FILES, string>>;
}

async function generated(t: TestContext, config: object = SMALL): Promise<Generated> {
  const dir = await folder(t);
  const manifest = await generate(generateSchema.parse(config), dir, context());
  const names = Object.entries(FILES) as [keyof typeof FILES, string][];
  const texts = await Promise.all(
    names.map(async ([key, name]) => [key, await readFile(join(dir, name), 'utf8')] as const),
  );
  assert.deepEqual(
    rawManifestSchema.parse(JSON.parse(await readFile(join(dir, 'manifest.json'), 'utf8'))),
    manifest,
  );
  return { manifest, text: Object.fromEntries(texts) as Generated['text'] };
}

const rowsOf = (text: string): string[][] =>
  text
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','));

/** Events by user, in the order of time. */
function byUser(interactions: string): Map<string, { item: string; behaviour: string; time: number }[]> {
  const users = new Map<string, { item: string; behaviour: string; time: number }[]>();
  for (const [time, user, item, behaviour] of rowsOf(interactions)) {
    const list = users.get(user!) ?? [];
    users.set(user!, list);
    list.push({ item: item!, behaviour: behaviour!, time: Number(time) });
  }
  return users;
}

describe('generate', () => {
  test('the same settings give the same bytes; another seed gives others', async (t) => {
    const [a, b] = [await generated(t), await generated(t)];
    assert.deepEqual(a, b);
    const c = await generated(t, { ...SMALL, seed: 43 });
    assert.notEqual(
      c.manifest.files[FILES.interactions]!.sha256,
      a.manifest.files[FILES.interactions]!.sha256,
    );
  });

  test('counts are those of the files, ids are distinct, titles tell what a thing is', async (t) => {
    const { manifest, text } = await generated(t);
    const items = text.items
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.equal(items.length, 5 * 12 * 6);
    assert.equal(new Set(items.map(({ item }) => item)).size, items.length);
    assert.equal(new Set(items.map(({ title }) => title)).size, items.length);
    for (const { title, kind, brand, price } of items) {
      assert.equal(title, `${String(kind)} — ${String(brand)}`);
      assert.ok((price as number) > 0);
    }
    assert.equal(rowsOf(text.users).length, SMALL.users);
    assert.deepEqual(manifest.counts, {
      users: SMALL.users,
      items: items.length,
      events: rowsOf(text.interactions).length,
    });
  });

  test('a user meets an item once, never before it is out, and at moments of their own', async (t) => {
    const { text } = await generated(t);
    const released = new Map(
      text.items
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { item: string; released: string })
        .map(({ item, released }) => [item, Date.parse(released) / 1000]),
    );
    for (const events of byUser(text.interactions).values()) {
      assert.ok(events.length >= 3, 'enough for a leave-last-out split');
      assert.equal(new Set(events.map(({ item }) => item)).size, events.length);
      assert.equal(new Set(events.map(({ time }) => time)).size, events.length);
      for (const { item, time } of events) assert.ok(released.get(item)! <= time);
    }
  });

  test('popularity has a long tail; cold users did little, late items are there', async (t) => {
    const { text } = await generated(t, { ...SMALL, users: 400 });
    const counts = new Map<string, number>();
    for (const [, , item] of rowsOf(text.interactions)) counts.set(item!, (counts.get(item!) ?? 0) + 1);
    const sorted = [...counts.values()].sort((a, b) => b - a);
    const total = sorted.reduce((a, b) => a + b, 0);
    const top = sorted.slice(0, 36).reduce((a, b) => a + b, 0);
    assert.ok(top / total > 0.3, `a tenth of the items has ${top / total} of the events`);
    const lengths = [...byUser(text.interactions).values()].map((events) => events.length);
    const cold = lengths.filter((n) => n <= 5).length / lengths.length;
    assert.ok(cold > 0.08 && cold < 0.25, `${cold} of the users are cold`);
    const end = Date.parse('2025-01-01') + 180 * 86_400_000;
    const late = [...text.items.matchAll(/"released":"([^"]+)"/g)].filter(
      ([, day]) => Date.parse(day!) > end - 18 * 86_400_000,
    );
    assert.ok(late.length > 0);
  });

  test('the oracle finds the last event where popularity cannot', async (t) => {
    const { text } = await generated(t, { ...SMALL, users: 400, oracle: { k: 10 } });
    const users = byUser(text.interactions);
    const counts = new Map<string, number>();
    for (const events of users.values())
      for (const { item } of events.slice(0, -1)) counts.set(item, (counts.get(item) ?? 0) + 1);
    const popular = [...counts].sort((a, b) => b[1] - a[1]).map(([item]) => item);
    const lists = new Map<string, string[]>();
    for (const [user, rank, item, score] of rowsOf(text.oracle)) {
      const list = lists.get(user!) ?? [];
      assert.equal(list.length + 1, Number(rank));
      assert.ok(Number(score) > 0 && Number(score) <= 1);
      lists.set(user!, [...list, item!]);
    }
    const gain = (list: readonly string[], target: string): number => {
      const rank = list.slice(0, 10).indexOf(target);
      return rank < 0 ? 0 : 1 / Math.log2(rank + 2);
    };
    let oracle = 0;
    let popularity = 0;
    for (const [user, events] of users) {
      const seen = new Set(events.slice(0, -1).map(({ item }) => item));
      const target = events.at(-1)!.item;
      oracle += gain(lists.get(user)!, target) / users.size;
      popularity +=
        gain(
          popular.filter((item) => !seen.has(item)),
          target,
        ) / users.size;
      for (const item of lists.get(user)!) assert.ok(!seen.has(item), 'nobody meets an item twice');
    }
    assert.ok(oracle > 4 * popularity, `oracle ${oracle}, popularity ${popularity}`);
    assert.ok(oracle > 0.35);
  });

  test('interrupted: says so and writes no manifest', async (t) => {
    const dir = await folder(t);
    const stop = AbortSignal.abort();
    await assert.rejects(generate(generateSchema.parse(SMALL), dir, context(stop)), failure('INTERRUPTED'));
    await assert.rejects(readFile(join(dir, 'manifest.json')));
  });
});

describe('the journey', () => {
  const config = generateSchema.parse(SMALL);
  const world = buildWorld(config);
  const time = world.end - 86_400_000;
  const start = (): Journey => new Journey(world, drawUser(config, world, 7));

  test('its distribution is the one it draws from', () => {
    const journey = (): Journey => {
      const j = start();
      j.take({ item: world.shelf[1]![3]![0]!, behaviour: 'view' });
      return j;
    };
    const expected = journey().distribution(time);
    const rng = Random.of(1, 'draws');
    const seen = new Float64Array(world.items.length);
    let basket = 0;
    const conditional = new Float64Array(world.items.length);
    const n = 20_000;
    for (let i = 0; i < n; i++) {
      const { item, behaviour } = journey().step(time, rng)!;
      seen[item]! += 1 / n;
      if (BASKET.includes(behaviour)) {
        basket++;
        conditional[item]!++;
      }
    }
    const given = journey().distribution(time, BASKET);
    for (let item = 0; item < seen.length; item++) {
      const p = expected[item]!;
      const q = given[item]!;
      assert.ok(Math.abs(seen[item]! - p) < 5 * Math.sqrt((p + 1e-4) / n), `item ${item}`);
      assert.ok(
        Math.abs(conditional[item]! / basket - q) < 5 * Math.sqrt((q + 5e-4) / basket),
        `item ${item}`,
      );
    }
  });

  test('a buyer goes on to the next kind, a looker compares', () => {
    const after = (behaviour: 'view' | 'purchase'): { same: number; next: number } => {
      const journey = start();
      journey.take({ item: world.shelf[0]![4]![1]!, behaviour });
      const p = journey.distribution(time);
      const mass = (kind: number): number => world.shelf[0]![kind]!.reduce((sum, item) => sum + p[item]!, 0);
      return { same: mass(4), next: mass(5) };
    };
    const [looked, bought] = [after('view'), after('purchase')];
    assert.ok(looked.same > 0.5 && looked.next < 0.2);
    assert.ok(bought.next > 0.5 && bought.same < 0.05);
  });

  test('what one has met has no probability; when all is met there is no step', () => {
    const tiny = buildWorld(generateSchema.parse({ ...SMALL, tastes: 2, brands: 2 }));
    const journey = new Journey(tiny, drawUser(config, tiny, 0));
    const rng = Random.of(2, 'all');
    const met = new Set<number>();
    for (let event = journey.step(tiny.end, rng); event; event = journey.step(tiny.end, rng)) {
      assert.ok(!met.has(event.item));
      met.add(event.item);
      assert.equal(journey.distribution(tiny.end)[event.item], 0);
    }
    assert.equal(met.size, tiny.items.length);
  });

  test('every hobby has twelve kinds of its own; draw follows its weights', () => {
    const kinds = TASTES.flatMap((taste) => taste.kinds);
    assert.equal(kinds.length, 12 * TASTES.length);
    assert.equal(new Set(kinds).size, kinds.length);
    assert.equal(new Set(BRANDS).size, BRANDS.length);
    assert.match(titleOf(world, world.items[0]!), /^.+ — .+$/);
    const rng = Random.of(3, 'draw');
    for (let i = 0; i < 100; i++) assert.equal(draw([0, 0, 2, 0], rng), 2);
  });
});
