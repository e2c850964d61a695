import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LastLists } from '../../../src/online/deadline/last-lists.js';
import { ScoringTime } from '../../../src/online/deadline/scoring-time.js';
import { HandClock, opened } from './hand-clock.js';

/** Scorings that end when they are told to. */
function scorings(clock: HandClock, time: ScoringTime) {
  const begun: ReturnType<typeof opened<string>>[] = [];
  return {
    begun,
    ask: (left: number) =>
      time.within(left, () => {
        const one = opened<string>();
        begun.push(one);
        return one.promise;
      }),
    async take(milliseconds: number) {
      const asked = this.ask(1e6);
      clock.pass(milliseconds);
      begun.at(-1)!.resolve('scores');
      assert.equal(await asked, 'scores');
    },
  };
}

test('what the last ones took decides whether another is begun, and those that wait count', async () => {
  const clock = new HandClock();
  const of = scorings(clock, new ScoringTime(clock));
  await of.take(10);
  assert.equal(await of.ask(9), undefined, 'takes 10');
  assert.equal(of.begun.length, 1, 'not begun');
  await of.take(10);
  const first = of.ask(10);
  const second = of.ask(20);
  assert.equal(of.begun.length, 4, 'two that wait take 20');
  assert.equal(await of.ask(29), undefined, 'a third would take 30');
  assert.equal(of.begun.length, 4);
  of.begun[2]!.resolve('a');
  of.begun[3]!.resolve('b');
  assert.deepEqual(await Promise.all([first, second]), ['a', 'b']);
});

test('whose time passes while it is scored is answered without, and later scores change nothing of that', async () => {
  const clock = new HandClock();
  const of = scorings(clock, new ScoringTime(clock));
  const asked = of.ask(50);
  clock.pass(50);
  assert.equal(await asked, undefined);
  of.begun[0]!.reject(new Error('nobody hears this'));
  assert.equal(await of.ask(0), undefined, 'no time at all');
});

test('an error in time is the asker’s', async () => {
  const clock = new HandClock();
  const of = scorings(clock, new ScoringTime(clock));
  const asked = of.ask(50);
  of.begun[0]!.reject(new Error('no scores'));
  await assert.rejects(asked, /no scores/);
});

test('a service that was slow is tried again after as many lists as it knows times', async () => {
  const clock = new HandClock();
  const of = scorings(clock, new ScoringTime(clock));
  for (let n = 0; n < 3; n++) await of.take(1000);
  for (let n = 0; n < 3; n++) assert.equal(await of.ask(10), undefined);
  const asked = of.ask(10);
  assert.equal(of.begun.length, 4);
  of.begun[3]!.resolve('scores');
  assert.equal(await asked, 'scores');
});

test('of users’ last lists the oldest is forgotten first', () => {
  const lists = new LastLists(2);
  const list = { items: Int32Array.of(1), scores: Float32Array.of(1), reranked: false, modelVersion: 'v' };
  for (const user of ['a', 'b', 'a', 'c']) lists.keep(user, list);
  assert.deepEqual(
    ['a', 'b', 'c'].map((user) => lists.get(user) !== undefined),
    [true, false, true],
  );
  lists.forget('a');
  assert.equal(lists.get('a'), undefined);
});
