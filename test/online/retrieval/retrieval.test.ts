import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { selectBackend } from '../../../src/compute/select.js';
import { RecsysError } from '../../../src/errors.js';
import { retrievalMeans } from '../../../src/online/retrieval/means.js';
import { loadUsearch } from '../../../src/online/retrieval/usearch.js';
import { Random } from '../../../src/random.js';
import { kindOf } from '../../../src/storage/disk.js';
import { CountingLearner, catalogue, temporary } from '../fixtures.js';
import { ITEMS, learnerOf, MODELS, made, retrievalOf, skip } from './fixtures.js';

await selectBackend('cpu');

const NOTHING = new Int32Array(0);

const historyOf = (rng: Random) => ({
  user: 0,
  items: Int32Array.from({ length: 5 }, () => 1 + rng.int(ITEMS)),
  behaviours: new Uint8Array(5),
});

/** The places of the best of scores [items + 1]. */
const best = (scores: Float32Array, count: number): number[] =>
  [...scores.keys()]
    .slice(1)
    .sort((a, b) => scores[b]! - scores[a]!)
    .slice(0, count);

for (const [name, model] of Object.entries(MODELS))
  test(`${name}: candidates have their exact scores, and the best items are among them`, {
    skip,
  }, async (t) => {
    const learner = learnerOf(model);
    const { retrieval } = await retrievalOf(join(await temporary(t), 'index'), learner, { candidates: 100 });
    t.after(() => learner.dispose());
    await made(retrieval);
    const rng = new Random(2);
    let found = 0;
    for (let n = 0; n < 20; n++) {
      const query = historyOf(rng);
      const [state] = [await learner.states!.products!.adapt([query])];
      const exact = await learner.score([query]);
      const { items, scores } = await retrieval.scores(state, query.items);
      assert(items.length >= 100 && items.length <= 105);
      for (const [i, item] of items.entries())
        assert(Math.abs(scores[i]! - exact[item]!) < 1e-4 * Math.max(1, Math.abs(exact[item]!)));
      for (const item of query.items) assert(items.includes(item));
      assert.deepEqual(items, items.slice().sort());
      found += best(exact, 20).filter((item) => items.includes(item)).length;
    }
    assert(found / 400 > 0.97, `recall@20 ${found / 400}`);
    await retrieval.close();
  });

test('items that events named are candidates, the last of them, until an index knows them', {
  skip,
}, async (t) => {
  const learner = learnerOf(MODELS.linear);
  const directory = join(await temporary(t), 'index');
  const settings = { candidates: 1, fresh: 3, rebuildHours: 1 };
  const { retrieval } = await retrievalOf(directory, learner, settings);
  await made(retrieval);
  const state = new Float32Array(16).fill(0.1);
  const [proposed] = (await retrieval.scores(state, NOTHING)).items;
  const named = [7, 9, 11, 13, 9].map((n) => (n === proposed ? n + 1 : n));
  for (const row of named) retrieval.note(row);
  const expected = [...new Set([...named.slice(1), proposed!])].sort((a, b) => a - b);
  assert.deepEqual([...(await retrieval.scores(state, NOTHING)).items], expected);
  await retrieval.close();

  // The next service knows them, and the rows of items that have come since.
  const again = await retrievalOf(directory, learner, settings, { rows: ITEMS + 1 });
  assert(again.retrieval.ready);
  assert.match(again.lines.join(), /the index of 2000 items in the state directory/);
  assert.deepEqual([...(await again.retrieval.scores(state, NOTHING)).items], expected);

  // A new index knows all that was named before it was begun.
  const { made: at } = JSON.parse(await readFile(join(directory, 'index.json'), 'utf8'));
  t.mock.timers.enable({ apis: ['Date'], now: at + 3_600_000 });
  again.retrieval.begin({ position: 5, lag: 1 });
  while (!again.lines.some((line) => line.includes('is made'))) await new Promise(setImmediate);
  // One event is still to be learned: its item stays.
  const kept = [...new Set([named[4]!, proposed!])].sort((a, b) => a - b);
  assert.deepEqual([...(await again.retrieval.scores(state, NOTHING)).items], kept);
  await again.retrieval.close();
});

test('an index of something else is not used, and a damaged one is made again', { skip }, async (t) => {
  const learner = learnerOf(MODELS.linear);
  const directory = join(await temporary(t), 'index');
  const first = await retrievalOf(directory, learner);
  assert.equal(first.retrieval.ready, false);
  await made(first.retrieval);
  await first.retrieval.close();
  const opened = async (config: object, over: object, of = learner) => {
    const { retrieval, lines } = await retrievalOf(directory, of, config, over);
    return { ready: retrieval.ready, lines: lines.join() };
  };
  const narrow = learnerOf({ ...MODELS.linear, width: 8 });
  for (const [config, over, of] of [
    [{}, { eras: { id: 'b', fits: (id: string) => id === 'b' } }],
    [{}, { rows: ITEMS }],
    [{ connectivity: 8 }, {}],
    [{ expansion: 64 }, {}],
    [{}, {}, narrow],
  ] as const) {
    const { ready, lines } = await opened(config, over, of);
    assert.equal(ready, false);
    assert.match(lines, /info: .* made of something else/);
  }
  assert.equal((await opened({}, {})).ready, true);

  const file = join(directory, 'index.usearch');
  const whole = await readFile(file);
  const facts = await readFile(join(directory, 'index.json'));
  for (const [path, damaged] of [
    [file, whole.subarray(0, 1000)],
    [file, whole.map((byte, at) => (at === 5000 ? byte ^ 1 : byte))],
    [join(directory, 'index.json'), Buffer.from('{')],
    [join(directory, 'index.json'), Buffer.from('{"version": 2}')],
  ] as const) {
    await writeFile(file, whole);
    await writeFile(join(directory, 'index.json'), facts);
    await writeFile(path, damaged);
    const { ready, lines } = await opened({}, {});
    assert.equal(ready, false);
    assert.match(lines, /warn: .* cannot be used .*: a new one is made/);
  }
  const { retrieval } = await retrievalOf(directory, learner);
  await made(retrieval);
  await retrieval.close();
  assert.equal((await opened({}, {})).ready, true);
});

test('the same vectors make the same index', { skip }, async (t) => {
  const dir = await temporary(t);
  const files = [];
  for (const name of ['a', 'b']) {
    const { retrieval } = await retrievalOf(join(dir, name), learnerOf(MODELS.linear));
    await made(retrieval);
    await retrieval.close();
    files.push(await readFile(join(dir, name, 'index.usearch')));
  }
  assert(files[0]!.equals(files[1]!));
});

test('weights that are no numbers make no index, and it is said', { skip }, async (t) => {
  const learner = learnerOf(MODELS.linear);
  const { parameters, ...rest } = await learner.snapshot();
  parameters.get('output.embedding')!.data[100] = Number.NaN;
  learner.restore({ parameters, ...rest });
  const { retrieval, lines } = await retrievalOf(join(await temporary(t), 'index'), learner);
  retrieval.begin({ position: 0, lag: 0 });
  while (lines.length === 0) await new Promise(setImmediate);
  assert.match(lines.join(), /warn: no index could be made: every item is scored/);
  await retrieval.close();
  await assert.rejects(retrieval.scores(new Float32Array(16).fill(Number.NaN), NOTHING), /not of numbers/);
});

test('after an erasure the index is gone, and none is made', { skip }, async (t) => {
  const directory = join(await temporary(t), 'index');
  const { retrieval } = await retrievalOf(directory, learnerOf(MODELS.linear));
  await made(retrieval);
  assert.equal(await kindOf(directory), 'directory');
  await retrieval.suspend();
  assert.equal(await kindOf(directory), 'none');
  assert(retrieval.ready);
  await retrieval.close();
  assert.equal(await kindOf(directory), 'none');

  // One that is being made is given up.
  const other = await retrievalOf(directory, learnerOf(MODELS.linear));
  other.retrieval.begin({ position: 0, lag: 0 });
  for (let n = 0; n < 4; n++) await new Promise((done) => setTimeout(done, 1));
  await other.retrieval.suspend();
  assert.equal(other.retrieval.ready, false);
  assert.equal(await kindOf(directory), 'none');
});

test('a model without products and a missing package are refused', async () => {
  const learner = new CountingLearner(catalogue(3, 20));
  assert.equal(await retrievalMeans({ kind: 'exact' }, learner), undefined);
  const refused = (code: string, message: RegExp, remedy: RegExp) => (error: unknown) =>
    error instanceof RecsysError &&
    error.code === code &&
    message.test(error.message) &&
    remedy.test(error.remedy);
  await assert.rejects(
    retrievalMeans({ kind: 'usearch' }, learner),
    refused('CONFIG_INVALID', /linear, transformer, .*; counting is none/, /retrieval\.kind: exact/),
  );
  await assert.rejects(
    loadUsearch(() => Promise.reject(new Error("Cannot find package 'usearch'\nat x"))),
    refused(
      'ENVIRONMENT',
      /needs the package usearch, .*\(Cannot find package 'usearch'\)$/,
      /npm install usearch/,
    ),
  );
});
