import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { type Runner, race } from '../../../src/commands/tune/race.js';
import { halvingRungs, oneRung } from '../../../src/commands/tune/rungs.js';
import { byScore, scoreOf } from '../../../src/commands/tune/score.js';
import { type Standing, UNBEGUN } from '../../../src/commands/tune/standing.js';

const goal = { metric: 'ndcg@10', watched: 'ndcg@10' };
const runnersOf = (count: number): Runner[] =>
  Array.from({ length: count }, (_, index) => ({ number: index + 1, goal, standing: UNBEGUN }));

/** Training in which trial n reaches `value(n)` at every epoch; those in `failing` fail at the given epoch. */
function training(value: (n: number) => number, failing: Readonly<Record<number, number>> = {}) {
  const work: [number, number][] = [];
  let running = 0;
  let most = 0;
  return {
    work,
    most: () => most,
    async advance({ number, standing }: Runner, epochs: number): Promise<Standing> {
      most = Math.max(most, ++running);
      for (let turn = 0; turn < number % 3; turn++) await setImmediate();
      running--;
      const last = Math.min(epochs, 9);
      if (standing.rows.length < last) work.push([number, last]);
      if ((failing[number] ?? 99) <= last) return { ...standing, state: 'failed' };
      const rows = Array.from({ length: last }, (_, i) => ({ epoch: i + 1, 'ndcg@10': value(number) }));
      return { state: last === 9 ? 'done' : 'open', rows, seconds: 0 };
    },
  };
}

test('the best of each rung go on, and each epoch is trained once', async () => {
  const runners = runnersOf(9);
  const { advance, work } = training((n) => n / 10);
  const left: number[] = [];
  await race(runners, halvingRungs(9, 3, 1, 9), 1, advance, async ({ number }) => void left.push(number));
  const one = (number: number, epochs: number) => [number, epochs];
  assert.deepEqual(work, [
    ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => one(n, 1)),
    ...[9, 8, 7].map((n) => one(n, 3)),
    [9, 9],
  ]);
  assert.deepEqual(
    runners.map(({ dropped }) => dropped),
    [1, 1, 1, 1, 1, 1, 3, 3, undefined],
  );
  assert.equal(runners[8]!.standing.state, 'done');
  assert.deepEqual(
    left.sort((a, b) => a - b),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
});

test('a runner that fails makes room for the next best', async () => {
  const runners = runnersOf(9);
  const { advance, work } = training((n) => n / 10, { 9: 2, 7: 9, 8: 9 });
  await race(runners, halvingRungs(9, 3, 1, 9), 1, advance);
  assert.deepEqual(work.slice(9), [
    [9, 3],
    [8, 3],
    [7, 3],
    [6, 3],
    [8, 9],
    [7, 9],
    [6, 9],
  ]);
  assert.deepEqual(
    runners.filter(({ standing }) => standing.state === 'done').map(({ number }) => number),
    [6],
  );
});

test('random search trains all, those that fail too, and ends', async () => {
  const runners = runnersOf(5);
  const { advance, most } = training(() => 0.5, { 2: 1, 5: 4 });
  await race(runners, oneRung(5), 3, advance);
  assert.deepEqual(
    runners.map(({ standing }) => standing.state),
    ['done', 'failed', 'done', 'done', 'failed'],
  );
  assert.equal(most(), 3);
});

test('the outcome does not depend on how many are trained at a time', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 12 }),
      fc.dictionary(fc.constantFrom('1', '2', '3', '4'), fc.integer({ min: 1, max: 9 })),
      fc.integer({ min: 2, max: 5 }),
      async (values, failing, parallel) => {
        const outcomes = [];
        for (const workers of [1, parallel]) {
          const runners = runnersOf(values.length);
          await race(
            runners,
            halvingRungs(values.length, 2, 1, 9),
            workers,
            training((n) => values[n - 1]!, failing).advance,
          );
          outcomes.push(runners.map(({ standing, dropped }) => [standing.state, dropped]));
        }
        assert.deepEqual(outcomes[0], outcomes[1]);
      },
    ),
    { numRuns: 40 },
  );
});

test('an error ends the race once those under way have ended, and begins nothing new', async () => {
  const begun: number[] = [];
  let ended = 0;
  const advance = async ({ number }: Runner): Promise<Standing> => {
    begun.push(number);
    if (number === 1) throw new Error('halt');
    await setImmediate();
    ended++;
    return { ...UNBEGUN, state: 'done' };
  };
  await assert.rejects(race(runnersOf(6), oneRung(6), 2, advance), /halt/);
  assert.deepEqual([begun, ended], [[1, 2], 1]);
});

test('a score is the metric in the epoch that early stopping keeps', () => {
  const rows = [
    { epoch: 1, loss: 3, 'ndcg@10': 0.2, 'hr@10': 0.5 },
    { epoch: 2, loss: 2 },
    { epoch: 3, loss: 2, 'ndcg@10': 0.4, 'hr@10': 0.3 },
    { epoch: 4, loss: 1, 'ndcg@10': 0.4, 'hr@10': 0.9 },
  ];
  const watched = 'ndcg@10';
  assert.deepEqual(scoreOf(rows, { metric: 'hr@10', watched }), { value: 0.3, epoch: 3 });
  assert.deepEqual(scoreOf(rows, { metric: 'hr@10', watched }, 2), { value: 0.5, epoch: 1 });
  assert.deepEqual(scoreOf(rows, { metric: 'hr@10', watched: 'loss' }), { value: 0.9, epoch: 4 });
  assert.equal(scoreOf(rows, { metric: 'mrr@10', watched }), undefined);
  assert.equal(scoreOf(rows.slice(1, 2), { metric: 'hr@10', watched }), undefined);
});

test('losses and errors are minimised; no score is last', () => {
  const [low, high] = [
    { value: 1, epoch: 1 },
    { value: 2, epoch: 1 },
  ];
  assert.deepEqual([undefined, low, high].sort(byScore('ndcg@10')), [high, low, undefined]);
  assert.deepEqual([high, low].sort(byScore('validation_rmse')), [low, high]);
  assert.deepEqual([high, low].sort(byScore('validation_loss')), [low, high]);
  assert.equal(byScore('ndcg@10')(undefined, low), 1);
});
