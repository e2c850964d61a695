import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { selectBackend } from '../../src/compute/select.js';
import { restoreModel } from '../../src/model/restore.js';
import { withRoom } from '../../src/model/room.js';
import { ComingItems } from '../../src/online/coming-items.js';
import { LastLists } from '../../src/online/deadline/last-lists.js';
import type { OnlineEvent } from '../../src/online/events.js';
import { ItemRows } from '../../src/online/item-rows.js';
import { modelLearner } from '../../src/online/model-learner.js';
import { OpenCatalogue } from '../../src/online/open-catalogue.js';
import { learningSchema } from '../../src/online/schema.js';
import { UserHistories } from '../../src/online/users.js';
import { readCheckpoint } from '../../src/storage/checkpoint.js';
import { writeTinyCheckpoint } from './checkpoint-fixture.js';
import { catalogue, NOW, startService, temporary } from './fixtures.js';
import { bitsOf, type Guarded, killed, startGuarded } from './guard/fixtures.js';

before(async () => {
  await selectBackend('cpu');
});

const DAY = 24 * 3_600_000;
const over = {
  retention: { itemDays: 7 },
  learning: { batch: 3, user: { rate: 0.05, trend: { rate: 0.1, start: 0.2 } } },
};

test('a row goes to a new item where none is free, from the one idle for longest, never from the checkpoint’s', () => {
  const known = catalogue(1, 2);
  const items = new OpenCatalogue({ ...known, items: [...known.items, '', ''] }, 3);
  const coming = new ComingItems(items, 3, DAY);
  let day = 0;
  const events = (item: string, count = 32) => {
    for (let n = 0; n < count; n++) {
      const { row } = coming.take(item);
      if (row !== undefined) coming.passed(item, row, day * DAY);
    }
  };
  events('i1');
  events('a');
  day = 0.5;
  events('b');
  assert.deepEqual(coming.take('c'), { row: undefined, begins: false }, 'nothing is idle');
  day = 2;
  events('i2');
  const { version } = items;
  assert.deepEqual(coming.take('c'), { row: 3, begins: true });
  assert.notEqual(items.version, version);
  assert.deepEqual(items.catalogue.items, ['', 'i1', 'i2', 'c', 'b']);
  coming.passed('c', 3, day * DAY);
  assert.equal(items.get('a'), undefined);
  const copy = new ComingItems(items, 3, DAY);
  copy.load(coming.snapshot());
  for (const one of [coming, copy]) assert.deepEqual(one.snapshot(), coming.snapshot());
  assert.deepEqual(copy.take('a'), { row: 4, begins: true });
  assert.deepEqual(copy.take('d'), { row: undefined, begins: false }, 'c is not idle');
});

test('an item is left out of histories and lists; queries made before go on as they were', () => {
  const histories = new UserHistories(catalogue(2, 9), 4, { times: true });
  for (const [n, item] of [1, 7, 2, 7, 3].entries()) histories.append('ann', item, n % 2, n);
  histories.append('bob', 1, 0, 9);
  const query = histories.query('ann');
  histories.drop(7);
  assert.deepEqual([...query.items], [7, 2, 7, 3]);
  const after = histories.query('ann');
  assert.deepEqual(
    [[...after.items], [...after.behaviours], [...after.times!]],
    [
      [2, 3],
      [0, 0],
      [2, 4],
    ],
  );
  assert.deepEqual([...histories.query('bob').items], [1]);
  for (let n = 0; n < 9; n++) histories.append('ann', 5, 0, n);
  assert.deepEqual([...histories.query('ann').items], [5, 5, 5, 5]);
  const lists = new LastLists();
  for (const [user, ...items] of [
    ['ann', 1, 7],
    ['bob', 2],
  ] as const)
    lists.keep(user, {
      items: Int32Array.from(items),
      scores: new Float32Array(items.length),
      reranked: false,
      modelVersion: '',
    });
  lists.drop(7);
  assert.deepEqual([lists.get('ann'), lists.get('bob')?.items.length], [undefined, 1]);
  const rows = new ItemRows(['', 'a', 'b']);
  assert.equal(rows.get('b'), 2);
  rows.give(2, 'c');
  assert.deepEqual([rows.get('a'), rows.get('b'), rows.get('c')], [1, undefined, 2]);
});

/** Six events a day on items that are known, by three users, and `more` of the day. */
const days = (from: number, to: number, more: Record<number, string[]> = {}): OnlineEvent[] =>
  Array.from({ length: to - from }, (_, i) => from + i).flatMap((day) => {
    const items = [
      ...Array.from({ length: 6 }, (_, n) => `i${((day * 7 + n * 11) % 40) + 1}`),
      ...(more[day] ?? []),
    ];
    return items.map((item, n) => ({
      id: `e${day}-${n}`,
      user: `user${(day + n) % 3}`,
      item,
      behaviour: 'view',
      time: NOW + day * DAY + n,
    }));
  });

/** Five rows are free: these take them, and all but `n4` are idle from day 5 on. */
const COME: Record<number, string[]> = {
  0: ['n0', 'n0'],
  1: ['n1'],
  2: ['n2'],
  3: ['n3'],
  4: ['n4'],
  ...Object.fromEntries(Array.from({ length: 30 }, (_, i) => [i + 5, ['n4']])),
};
const LATER = { ...COME, 15: ['new', 'n4', 'new'], 16: ['new', 'newer'], 24: ['n0'] };

const send = async ({ service }: Pick<Guarded, 'service'>, events: readonly OnlineEvent[]) => {
  for (const event of events) await service.accept([event]);
  await service.idle();
};
const cameOf = async ({ service }: Guarded) => (await service.snapshot()).catalogue.items.slice(41);

test('rows that are given anew: a snapshot, a kill and a replay come to the same bits', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const running = await startGuarded(model, state, over);
  await send(running, days(0, 14, LATER));
  assert.deepEqual(await cameOf(running), ['n0', 'n1', 'n2', 'n3', 'n4']);
  const seen = () => running.service.users.of('user0').history.map(({ item }) => item);
  assert(seen().includes('n0'));
  await running.snapshots.take();
  await send(running, days(14, 20, LATER));
  assert.deepEqual(await cameOf(running), ['new', 'newer', 'n2', 'n3', 'n4']);
  assert(!seen().includes('n0') && seen().every((item) => item !== ''));
  assert.match(await running.metrics.registry.metrics(), /recsys_evicted_total\{kind="item"\} 2/);
  const { popularity } = (await running.service.snapshot()).state;
  assert.deepEqual([...popularity.slice(41, 43)], [3, 1]);
  const list = await running.service.recommend({ user: 'user2', includeSeen: true, k: 100 });
  const names = list.items.map(({ item }) => item);
  assert(names.includes('new') && !names.includes('n0'));
  const bits = await bitsOf(running);
  assert.match(bits.facts!, /"begun":\[\[41,1\],\[42,2\]\]/);
  for (const other of [
    await killed(state, join(dir, 'killed')),
    await killed(state, join(dir, 'bare'), (path) => !/\/(snapshot|good)$/.test(path)),
  ]) {
    const again = await startGuarded(model, other, over);
    assert.deepEqual(await bitsOf(again), bits, other);
    await again.service.close();
  }
  await running.snapshots.take();
  await running.service.close();
  const again = await startGuarded(model, state, over);
  assert.deepEqual(await bitsOf(again), bits);
  await send(again, days(20, 26, LATER));
  assert.deepEqual(
    await cameOf(again),
    ['new', 'newer', 'n0', 'n3', 'n4'],
    'what was let go of comes as a new one',
  );
  const end = await bitsOf(again);
  await again.service.close();
  const bare = await startGuarded(
    model,
    await killed(state, join(dir, 'replayed'), (path) => !/\/(snapshot|good)$/.test(path)),
    over,
  );
  assert.deepEqual(await bitsOf(bare), end);
  await bare.service.close();
});

test('a rollback to before a row was given anew: nothing of the item before is in it, and a replay repeats it', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const running = await startGuarded(model, state, over);
  await send(running, days(0, 14, LATER));
  const rowOf = async (at: number) => {
    const { parameters, introduced } = (await running.service.snapshot()).learner;
    const tables = [...parameters.values()].filter(({ shape }) => shape[0] === 46);
    assert(tables.length > 0);
    return [
      introduced[at],
      ...tables.map(({ data }) => [...data.slice((at * data.length) / 46, ((at + 1) * data.length) / 46)]),
    ];
  };
  await running.snapshots.take();
  const [n0, n2] = [await rowOf(41), await rowOf(43)];
  assert.equal(n0[0], 1);
  await send(running, days(14, 18, LATER));
  assert.notDeepEqual(await rowOf(43), n2);
  await running.service.guard.rollback();
  const zeros = [0, ...n0.slice(1).map((values) => (values as number[]).map(() => 0))];
  assert.deepEqual(await rowOf(41), zeros);
  assert.deepEqual(await rowOf(43), n2);
  await send(running, days(18, 22, LATER));
  const bits = await bitsOf(running);
  // Before the next snapshot: what the rollback went back to is there, and then is not.
  for (const kept of [/never/, /\/(snapshot|good)$/]) {
    const other = await killed(state, join(dir, `${kept.source.length}`), (path) => !kept.test(path));
    const again = await startGuarded(model, other, over);
    assert.deepEqual(await bitsOf(again), bits, kept.source);
    await again.service.close();
  }
  await running.service.close();
});

test('by tensors, against what was shown, with every optimizer: a replay gives rows the same values', async (t) => {
  const dir = await temporary(t);
  await writeTinyCheckpoint(join(dir, 'model'));
  const checkpoint = await readCheckpoint(join(dir, 'model'));
  const known = checkpoint.catalogue.items.length;
  for (const optimizer of ['adam', 'adagrad', 'sgd', 'ftrl'] as const) {
    const learning = { learningRate: 0.1, batch: 4, optimizer, negativesFrom: 'shown' };
    const made = () => {
      const model = withRoom(restoreModel(checkpoint), known + 5, 1, 'here');
      const learner = modelLearner(model, learningSchema.parse(learning), 1, { known });
      return { catalogue: model.catalogue, known, learner, learning, retention: over.retention };
    };
    const journal = join(dir, optimizer);
    const first = await startService(journal, made());
    await send(
      first,
      days(0, 20, LATER).map((event) => ({ ...event, shown: ['i3', 'n0', 'new', event.item] })),
    );
    const { state, learner, catalogue: grown } = await first.service.snapshot();
    assert.deepEqual(grown.items.slice(known), ['new', 'newer', 'n2', 'n3', 'n4']);
    await first.service.close();
    const again = await startService(journal, made());
    await again.service.idle();
    const replayed = await again.service.snapshot();
    assert.deepEqual(replayed.learner, learner, optimizer);
    assert.deepEqual(replayed.state, state);
    await again.service.close();
  }
});
