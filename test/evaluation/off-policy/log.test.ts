import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readServedLists, type ServedList } from '../../../src/evaluation/off-policy/log.js';
import { asTarget } from '../../../src/evaluation/off-policy/target.js';
import { policySchema } from '../../../src/model/policy/schema.js';
import { catalogue } from '../../online/fixtures.js';

type Allow = Parameters<typeof readServedLists>[2];

async function read(rows: readonly (object | string)[], allow: Allow = []) {
  const lines = async function* () {
    for (const row of rows) yield typeof row === 'string' ? row : JSON.stringify(row);
  };
  const counts = { fallbacks: 0 };
  const lists: ServedList[] = [];
  for await (const list of readServedLists(lines(), 'log', allow, counts)) lists.push(list);
  return { lists, counts };
}

const list = (over: object = {}) => ({
  requestId: 'r1',
  user: 'u1',
  items: [
    { item: 'i2', propensity: 0.5 },
    { item: 'i1', propensity: 0.25 },
  ],
  pool: ['i1', 'i2', 'i3'],
  ...over,
});

test('a propensity that is missing, 0, above 1 or no number is refused with its line; so is what is marked', async () => {
  for (const [propensity, said] of [
    [undefined, 'is missing'],
    [0, 'is 0'],
    [-0.1, 'is -0.1'],
    [1.0001, 'is 1.0001'],
    [null, 'is null'],
    ['0.5', 'is "0.5"'],
  ] as const)
    await assert.rejects(
      read([list(), '', list({ items: [{ item: 'i1', propensity }] })]),
      (error: Error) => {
        assert.match(
          error.message,
          new RegExp(`^log:3: items\\.0\\.propensity ${said}, where a probability`),
        );
        assert.equal((error as Error & { code: string }).code, 'PROPENSITIES_INVALID');
        return true;
      },
    );
  await assert.rejects(
    read([list().requestId, '{"requestId": "a", "items": [{"item": "b", "propensity": NaN}]}']),
    {
      code: 'DATA_UNREADABLE',
    },
  );
  for (const mark of ['estimated', 'reranked'] as const) {
    await assert.rejects(read([list({ [mark]: true })]), {
      code: 'PROPENSITIES_INVALID',
      remedy: new RegExp(mark),
    });
    assert.equal((await read([list({ [mark]: true })], [mark])).lists.length, 1);
  }
});

test('what is no list is refused; lists of fallbacks are left out and counted', async () => {
  for (const row of [
    {},
    list({ items: 1 }),
    list({ pool: ['i1'] }),
    list({ history: [{ behaviour: 'view' }] }),
  ])
    await assert.rejects(read([row]), { code: 'DATA_UNREADABLE' });
  const twice = { item: 'i1', propensity: 0.5 };
  await assert.rejects(read([list({ items: [twice, twice] })]), { code: 'DATA_UNREADABLE' });
  const { lists, counts } = await read([
    list(),
    list({ fallbackReason: 'budget', items: [{ item: 'i1' }] }),
    { requestId: 'r2', items: [{ item: 'i1', propensity: 1 }] },
    // Everything was seen or barred.
    list({ items: [] }),
  ]);
  assert.deepEqual([lists.length, counts.fallbacks], [2, 1]);
  assert.deepEqual([lists[1]!.user, lists[1]!.pool], ['request r2', ['i1']]);
});

test('a list as another policy sees it: by hand', async () => {
  const known = catalogue(2, 3, ['view', 'buy']);
  const asked: number[][] = [];
  // Softmax weights 1, 2, 5 for items 1, 2, 3.
  const scorer = {
    name: 'fixed',
    items: 3,
    score: async (queries: readonly { items: Int32Array }[]) => {
      for (const { items } of queries) asked.push([...items]);
      return Float32Array.from(queries.flatMap(() => [0, 0, Math.log(2), Math.log(5)]));
    },
  };
  const events = [
    { item: 'i1', behaviour: 'view' },
    { item: 'i2', behaviour: 'buy' },
    { item: 'i3', behaviour: 'buy' },
  ];
  const { lists } = await read([
    list({ history: [{ item: 'i3', behaviour: 'view' }, { item: 'gone' }], events }),
    list({ user: 'u2', pool: ['i1', 'i2', 'new'] }),
  ]);
  const counts = { unknownItems: 0, unknownBehaviours: 0 };
  const options = { behaviours: ['buy'], batchSize: 1 };
  const softmax = policySchema.parse({ kind: 'softmax' });
  const [first, second] = await asTarget(lists, scorer, known, { ...options, policy: softmax }, counts);
  assert.deepEqual(asked, [[3], []]);
  assert.equal(counts.unknownItems, 2);
  const targets = first!.steps.map(({ target, logged, reward }) => [target.toFixed(6), logged, reward]);
  assert.deepEqual(targets, [
    [(2 / 8).toFixed(6), 0.5, 1],
    [(1 / 6).toFixed(6), 0.25, 0],
  ]);
  assert.deepEqual(
    second!.steps.map(({ target }) => target.toFixed(6)),
    [(2 / 3).toFixed(6), '1.000000'],
    'an item that the model does not know is never its choice',
  );
  const none = policySchema.parse({ kind: 'none' });
  const [best] = await asTarget(lists, scorer, known, { ...options, policy: none }, counts);
  assert.deepEqual(
    best!.steps.map(({ target }) => target),
    [0, 0],
  );
});
