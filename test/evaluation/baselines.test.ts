import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { blockMatrix, invertPositiveDefinite } from '../../src/compute/cholesky.js';
import { easeScorer, fitEase } from '../../src/evaluation/baselines/ease.js';
import { nearestItems, neighbourScorer } from '../../src/evaluation/baselines/itemknn.js';
import { recentCounts } from '../../src/evaluation/baselines/recent-popularity.js';
import { BASELINES, baselines } from '../../src/evaluation/baselines/registry.js';
import { trainMatrix } from '../../src/evaluation/baselines/train.js';
import { Random } from '../../src/random.js';
import { close, makeDataset, type Row } from './fixture.js';

const train = (...pairs: string[]): Row[] => pairs.map((pair): Row => [pair[0]!, pair[1]!, 'train']);
const query = (...items: number[]) => ({
  user: 1,
  items: Int32Array.from(items),
  behaviours: new Uint8Array(items.length),
});
const options = { candidates: 'all', filterSeen: true, seed: 1 } as const;

/** Gauss–Jordan with pivots: the direct solution to compare with. */
function directInverse(a: readonly (readonly number[])[]): number[][] {
  const n = a.length;
  const m = a.map((row, i) => [...row, ...Array.from({ length: n }, (_, j) => (i === j ? 1 : 0))]);
  for (let c = 0; c < n; c++) {
    let p = c;
    for (let r = c; r < n; r++) if (Math.abs(m[r]![c]!) > Math.abs(m[p]![c]!)) p = r;
    [m[c], m[p]] = [m[p]!, m[c]!];
    const pivot = m[c]![c]!;
    m[c] = m[c]!.map((value) => value / pivot);
    for (let r = 0; r < n; r++) {
      const factor = m[r]![c]!;
      if (r !== c) m[r] = m[r]!.map((value, j) => value - factor * m[c]![j]!);
    }
  }
  return m.map((row) => row.slice(n));
}

for (const n of [1, 3, 64, 65, 150]) {
  test(`the inverse of a ${n} × ${n} matrix agrees with direct elimination`, async () => {
    const random = new Random(n);
    const factors = Array.from({ length: n }, () => Array.from({ length: 7 }, () => random.normal()));
    const dense = factors.map((x, i) =>
      factors.map((y, j) => x.reduce((s, v, k) => s + v * y[k]!, i === j ? 2 : 0)),
    );
    const matrix = blockMatrix(n);
    for (const [i, row] of dense.entries()) matrix.data.set(row, i * matrix.stride);
    await invertPositiveDefinite(matrix);
    const expected = directInverse(dense);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++)
        assert.ok(close(matrix.data[i * matrix.stride + j]!, expected[i]![j]!, 1e-10), `${i}, ${j}`);
    }
  });
}

test('a matrix that is not positive definite is refused', async () => {
  const matrix = blockMatrix(2);
  matrix.data.set([1, 2], 0);
  matrix.data.set([2, 1], matrix.stride);
  await assert.rejects(invertPositiveDefinite(matrix), /not positive definite: pivot 1/);
});

test('EASE on two items by hand', async () => {
  // Items a, b; users ab, ab, a. G = [[3, 2], [2, 2]], λ = 1: P = [[3, −2], [−2, 4]] / 8, B_ab = 2/4, B_ba = 2/3.
  const matrix = trainMatrix(makeDataset(train('ua', 'ub', 'va', 'vb', 'wa')));
  const model = await fitEase(matrix, Int32Array.of(1, 2), 1);
  assert.deepEqual(
    [...model.weights].map((w) => w.toFixed(5)),
    ['0.00000', '0.50000', '0.66667', '0.00000'],
  );
  const scores = await easeScorer(model, 2).score([query(1), query(1, 1, 2)]);
  assert.ok(close(scores[2]!, 0.5));
  assert.ok(close(scores[3 + 1]!, 2 / 3) && close(scores[3 + 2]!, 0.5));
});

test('EASE agrees with a direct solution, and items outside it score 0', async () => {
  const random = new Random(5);
  const events: Row[] = [];
  for (let u = 0; u < 40; u++)
    for (let i = 0; i < 9; i++) if (random.uniform() < 0.4) events.push([`u${u}`, `i${i}`, 'train']);
  const data = makeDataset(events, { items: Array.from({ length: 12 }, (_, i) => `i${i}`) });
  const matrix = trainMatrix(data);
  const n = 9;
  const gram = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (i === j ? 10 : 0)));
  for (let u = 1; u <= matrix.users; u++) {
    const own = matrix.userItems.subarray(matrix.userOffsets[u]!, matrix.userOffsets[u + 1]!);
    for (const a of own) for (const b of own) gram[a - 1]![b - 1]!++;
  }
  const p = directInverse(gram);
  const model = await fitEase(
    matrix,
    Int32Array.from({ length: n }, (_, i) => i + 1),
    10,
  );
  const scores = await easeScorer(model, 12).score([query(2, 5)]);
  for (let j = 0; j < n; j++) {
    const weight = (i: number): number => (i === j ? 0 : -p[i]![j]! / p[j]![j]!);
    assert.ok(close(scores[j + 1]!, weight(1) + weight(4), 1e-6));
  }
  assert.deepEqual([...scores.slice(10)], [0, 0, 0]);
});

test('EASE skips a catalogue above the limit, and says why', async () => {
  const result = await baselines.ease.fit(makeDataset(train('ua', 'ub', 'uc')), { ...options, easeItems: 2 });
  assert.match((result as { skipped: string }).skipped, /3 items are above easeItems 2/);
});

test('cosine neighbours by hand', async () => {
  // Users of a: u v w; of b: u v; of c: w.
  const matrix = trainMatrix(makeDataset(train('ua', 'ub', 'va', 'vb', 'wa', 'wc')));
  const [table] = await nearestItems(matrix, 2, [0]);
  assert.deepEqual([...table!.neighbours.subarray(table!.offsets[1], table!.offsets[2])].sort(), [2, 3]);
  const scores = await neighbourScorer(table!).score([query(1), query(1, 2)]);
  assert.ok(close(scores[2]!, 2 / Math.sqrt(6)) && close(scores[3]!, 1 / Math.sqrt(3)));
  assert.ok(close(scores[4 + 3]!, 1 / Math.sqrt(3)), 'b and c share no user');
});

test('only the nearest are kept, and shrinking weakens what rests on few users', async () => {
  const matrix = trainMatrix(makeDataset(train('ua', 'ub', 'va', 'vb', 'wa', 'wc')));
  const [nearest] = await nearestItems(matrix, 1, [0]);
  assert.deepEqual([...nearest!.neighbours], [2, 1, 1]);
  const [shrunk] = await nearestItems(matrix, 1, [4]);
  assert.ok(close(shrunk!.similarity[0]!, 2 / (Math.sqrt(6) + 4)));
});

test('a repeated event counts once in the matrix', () => {
  const matrix = trainMatrix(makeDataset(train('ub', 'ua', 'ub', 'vb')));
  assert.deepEqual([...matrix.userItems], [1, 2, 2]);
  assert.deepEqual([...matrix.itemUsers], [1, 1, 2]);
});

test('similarities do not depend on the order of events', async () => {
  const pairs = ['ua', 'ub', 'va', 'vc', 'wb', 'wc', 'wa', 'xc'];
  const fit = async (list: readonly string[]) => {
    const matrix = trainMatrix(makeDataset(train(...list), { items: ['a', 'b', 'c'] }));
    return (await nearestItems(matrix, 5, [0, 1])).map(({ similarity }) => [...similarity]);
  };
  const reference = await fit(pairs);
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray(pairs, { minLength: pairs.length }), async (shuffled) => {
      assert.deepEqual(await fit(shuffled), reference);
    }),
    { numRuns: 20 },
  );
});

test('popularity counts train rows only', async () => {
  const data = makeDataset([...train('ua', 'va', 'ub'), ['u', 'b', 'test'], ['v', 'b', 'test']]);
  const fitted = await baselines.popularity.fit(data, options);
  assert.ok('scorer' in fitted);
  assert.deepEqual([...(await fitted.scorer.score([query()]))], [0, 2, 1]);
});

test('recent popularity counts the last days; older items follow in order of popularity', () => {
  const day = 86_400_000;
  const at = (time: number) => ({ time: time * day });
  const data = makeDataset(
    [
      ['u', 'a', 'train', at(0)],
      ['v', 'a', 'train', at(1)],
      ['w', 'b', 'train', at(1)],
      ['w', 'c', 'train', at(20)],
      ['w', 'd', 'test', at(99)],
    ],
    { time: 'epoch' },
  );
  const [, a, b, c, d] = recentCounts(data, 7);
  assert.ok(c! >= 1 && a! < 1 && a! > b! && b! > d! && d === 0);
});

test('popularity counts what is asked about first', async () => {
  const rows: Row[] = [
    ...['ua', 'va', 'wa', 'ub'].map((pair): Row => [pair[0]!, pair[1]!, 'train']),
    ['v', 'c', 'train', { behaviour: 'buy' }],
  ];
  const data = makeDataset(rows);
  const scores = async (targetBehaviours?: string[]) => {
    const fitted = await baselines.popularity.fit(data, { ...options, targetBehaviours });
    assert.ok('scorer' in fitted);
    return [...(await fitted.scorer.score([query()]))].slice(1);
  };
  assert.deepEqual(await scores(), [3, 1, 1]);
  const [a, b, c] = await scores(['buy']);
  assert.ok(c! > 1 && 1 > a! && a! > b! && b! > 0);
  assert.deepEqual([...recentCounts(data, 1, ['buy'])].slice(1), [a, b, c]);
});

test('without times recent popularity says that it is not defined', async () => {
  const data = makeDataset(train('ua', 'va', 'ub'));
  const fitted = await baselines['recent-popularity'].fit(data, options);
  assert.ok('scorer' in fitted);
  assert.match(fitted.note ?? '', /not defined/);
  assert.deepEqual([...(await fitted.scorer.score([query()]))], [...data.catalogue.itemCounts]);
});

test('last-seen lists the newest of the history first, each at its last place, then by popularity', async () => {
  const data = makeDataset(train('ua', 'ub', 'vb', 'vc', 'wb', 'wd', 'xd'));
  const fitted = await baselines['last-seen'].fit(data, options);
  assert.ok('scorer' in fitted);
  // Items a to d are 1 to 4 and have 1, 3, 1 and 2 train rows.
  const [, a, b, c, d] = await fitted.scorer.score([query(1, 3, 1)]);
  assert.ok(a! > c! && c! > b! && b! > d! && d! > 0);
});

test('most-seen lists what is met most often first, of equals the newer, then by popularity', async () => {
  const data = makeDataset(train('ua', 'ub', 'vb', 'vc', 'wb', 'wd', 'xd'));
  const fitted = await baselines['most-seen'].fit(data, options);
  assert.ok('scorer' in fitted);
  // a twice, d and c once, d later; b, the most popular, is in no history.
  const [, a, b, c, d] = await fitted.scorer.score([query(1, 3, 1, 4)]);
  assert.ok(a! > d! && d! > c! && c! > b! && b! > 0);
});

test('every baseline fits and scores a dataset without validation rows, and one with an empty history', async () => {
  const data = makeDataset([...train('ua', 'ub', 'va', 'vb', 'vc'), ['u', 'c', 'test']]);
  for (const name of BASELINES) {
    const fitted = await baselines[name].fit(data, options);
    assert.ok('scorer' in fitted, name);
    const scores = await fitted.scorer.score([query(), query(1)]);
    assert.equal(scores.length, 2 * 4);
    assert.ok(scores.every(Number.isFinite), name);
  }
});

test('hyperparameters are chosen on the validation part', async () => {
  const random = new Random(3);
  const events: Row[] = [];
  for (let u = 0; u < 60; u++) {
    const taste = u % 2;
    for (let i = 0; i < 6; i++)
      events.push([`u${u}`, `i${taste * 10 + random.int(10)}`, i < 5 ? 'train' : 'validation']);
  }
  const fitted = await baselines.ease.fit(makeDataset(events), options);
  assert.ok('scorer' in fitted);
  assert.ok([100, 250, 500, 1000].includes(Number(fitted.settings.lambda)));
  assert.equal(fitted.note, undefined);
});
