import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { selectBackend } from '../../src/compute/select.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { ItemRows } from '../../src/online/item-rows.js';
import { journalRecords } from '../../src/online/journal/check.js';
import type { LearnExample } from '../../src/online/learner.js';
import { modelLearner } from '../../src/online/model-learner.js';
import { PopularityProposal } from '../../src/online/negatives.js';
import { packExamples } from '../../src/online/next-item-loss.js';
import { parseRecord } from '../../src/online/records.js';
import { learningSchema } from '../../src/online/schema.js';
import { ShownLists } from '../../src/online/shown-lists.js';
import { Random } from '../../src/random.js';
import { CountingLearner, catalogue, NOW, startService, temporary } from './fixtures.js';

const KNOWN = catalogue(2, 30);
const example = (item: number, shown?: readonly string[], known = 31): LearnExample => ({
  seq: 1,
  event: { id: 'e', user: 'u', item: `i${item}`, behaviour: 'view', time: NOW, ...(shown ? { shown } : {}) },
  query: { user: 0, items: Int32Array.of(4), behaviours: new Uint8Array(1) },
  ...{ item, behaviour: 0, weight: 1, known },
});
const proposal = new PopularityProposal(KNOWN.itemCounts);
const packed = (one: LearnExample, count: number, shown?: ItemRows) => {
  const { negatives, offsets } = packExamples([one], { length: 6 }, { proposal, count, seed: 1, shown });
  return { negatives: [...negatives!.data], offsets: [...offsets!.data] };
};

test('the others of the list are what a choice is learned against, each as often as once', () => {
  const rows = new ItemRows(KNOWN.items);
  const ids = fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { minLength: 2, maxLength: 12 });
  fc.assert(
    fc.property(ids, fc.integer({ min: 12, max: 40 }), (items, count) => {
      const { negatives, offsets } = packed(
        example(
          items[0]!,
          items.map((i) => `i${i}`),
        ),
        count,
        rows,
      );
      const weights = new Map<number, number>();
      for (const [j, row] of negatives.entries())
        weights.set(row, (weights.get(row) ?? 0) + Math.exp(offsets[j]!));
      assert.deepEqual(
        [...weights.keys()].sort((a, b) => a - b),
        items.slice(1).sort((a, b) => a - b),
      );
      for (const weight of weights.values()) assert(Math.abs(weight - 1) < 1e-6, `${weight}`);
    }),
  );
  const few = packed(example(1, ['i1', 'i2', 'i3', 'i4']), 2, rows);
  assert.deepEqual(few.negatives, [2, 3], 'more than there is room for');
});

test('without a list, of nothing but its own item, or where lists are not learned from: by popularity', () => {
  const rows = new ItemRows(KNOWN.items);
  const usual = packed(example(1), 8);
  assert.deepEqual(packed(example(1), 8, rows), usual);
  assert.deepEqual(packed(example(1, ['i1', 'nobody’s']), 8, rows), usual);
  assert.deepEqual(packed(example(1, ['i1', 'i2']), 8), usual);
  assert.deepEqual(
    packed(example(1, ['i1', 'i9'], 8), 8, rows),
    packed(example(1, [], 8), 8, rows),
    'came later',
  );
});

test('rows of items that come are found once they have one', () => {
  const items = ['', 'a', 'b', '', ''];
  const rows = new ItemRows(items);
  assert.deepEqual([rows.get('b'), rows.get('c'), rows.get('')], [2, undefined, undefined]);
  items[3] = 'c';
  assert.equal(rows.get('c'), 3);
});

test('of the lists remembered the oldest goes first; none is with 0', () => {
  const event = (requestId: string) => ({ ...example(1).event, requestId });
  const lists = new ShownLists(2);
  for (const id of ['a', 'b', 'c']) lists.keep(id, id, [{ item: `i-${id}` }]);
  assert.deepEqual(
    lists.with(['a', 'c', 'x'].map(event)).map(({ shown }) => shown),
    [undefined, ['i-c'], undefined],
  );
  lists.forget('c');
  assert.deepEqual(lists.with([event('c')])[0]!.shown, undefined);
  assert.deepEqual(lists.with([event('b')])[0]!.shown, ['i-b']);
  const off = new ShownLists(0);
  off.keep('a', 'a', [{ item: 'i1' }]);
  assert.deepEqual(off.with([event('a')]), [event('a')]);
});

test('a model moves the biases of what was shown and chosen, and of nothing else', async () => {
  await selectBackend('cpu');
  const config = modelSchema.parse({ name: 'linear', width: 4, length: 6 });
  const model = createModel(config, KNOWN);
  const restored = { model, config, catalogue: KNOWN, inits: model.init(new Random(2)) };
  const before = Float32Array.from(restored.inits.get('output.bias')!.data);
  const learning = { negativesFrom: 'shown', optimizer: 'sgd', learningRate: 0.1 };
  const learner = modelLearner(restored, learningSchema.parse(learning), 1);
  try {
    await learner.learn([example(5, ['i5', 'i9', 'i12'])]);
    const after = (await learner.snapshot()).parameters.get('output.bias')!.data;
    const rise = Array.from(after, (value, item) => value - before[item]!);
    assert.deepEqual(
      rise.flatMap((by, item) => (by === 0 ? [] : [item])),
      [5, 9, 12],
    );
    assert(rise[5]! > 0 && rise[9]! < 0 && rise[12]! < 0);
    assert(Math.abs(rise[5]! + rise[9]! + rise[12]!) < 1e-6, 'a softmax of three: gradients sum to 0');
  } finally {
    learner.dispose();
  }
});

/** Keeps what each event is learned with. */
class Watching extends CountingLearner {
  readonly shown: unknown[] = [];

  override async learn(examples: readonly LearnExample[]) {
    this.shown.push(...examples.map(({ event }) => event.shown));
    return super.learn(examples);
  }
}

test('what a list showed is in the journal with the event that names it, and a replay learns from the same', async (t) => {
  const dir = await temporary(t);
  const learning = { negativesFrom: 'shown' };
  const learner = new Watching(catalogue(3, 20));
  const { service } = await startService(dir, { learner, learning });
  const { items } = await service.recommend({ user: 'u9', k: 3, includeSeen: false }, { requestId: 'r1' });
  const ids = items.map(({ item }) => item);
  const event = (id: string, requestId?: string) => ({
    ...{ id, user: 'u9', item: 'i2', behaviour: 'view', time: NOW },
    ...(requestId === undefined ? {} : { requestId }),
  });
  await service.accept([event('e1', 'r1'), event('e2'), event('e3', 'unheard of')]);
  await service.idle();
  await service.close();
  assert.deepEqual(learner.shown, [ids, undefined, undefined]);
  const journalled: unknown[] = [];
  for await (const { seq, record } of journalRecords(dir)) {
    const parsed = parseRecord(seq, record);
    if (parsed.type === 'event') journalled.push(parsed.shown);
  }
  assert.deepEqual(journalled, [ids, undefined, undefined]);

  // In another process nothing of the lists is known but what the journal has.
  const replayed = new Watching(catalogue(3, 20));
  const again = await startService(dir, { learner: replayed, learning });
  await again.service.idle();
  await again.service.accept([event('e4', 'r1')]);
  await again.service.idle();
  await again.service.close();
  assert.deepEqual(replayed.shown, [ids, undefined, undefined, undefined]);
});
