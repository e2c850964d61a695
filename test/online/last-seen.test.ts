import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LastSeen, seenOf } from '../../src/online/last-seen.js';
import { decodeSafetensors, encodeSafetensors } from '../../src/storage/safetensors.js';

const DAY = 24 * 3_600_000;

/** The rule written out: nothing is remembered but the events themselves. */
class Naive {
  private readonly events: { user: string; time: number }[] = [];
  private readonly last = new Map<string, number>();

  constructor(private readonly after: number) {}

  private get now(): number | undefined {
    const ends = this.events.map((_, i) => this.events.slice(i - 31, i + 1)).slice(31);
    const times = ends.map((some) => Math.min(...some.map(({ time }) => time)));
    return times.length === 0 ? undefined : Math.max(...times);
  }

  note(user: string, time: number): string[] {
    this.events.push({ user, time });
    const { now } = this;
    if (now === undefined) return [];
    if (this.events.length === 32) for (const one of this.events) this.last.set(one.user, now);
    this.last.set(user, now);
    const gone = [...this.last].filter(([, at]) => now - at > this.after).map(([one]) => one);
    for (const one of gone) this.last.delete(one);
    return gone.sort();
  }
}

test('any stream: who is let go of is what the rule says, across snapshots as well', () => {
  const step = fc.record({
    user: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    // Mostly on, sometimes far off.
    hours: fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: 0, max: 9 }) },
      { weight: 1, arbitrary: fc.integer({ min: -5000, max: 5000 }) },
    ),
    snapshot: fc.boolean(),
  });
  let evicted = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 60, maxLength: 120 }), (steps) => {
      const there = new Set<string>();
      let seen = new LastSeen(DAY, () => there);
      const naive = new Naive(DAY);
      let time = 1e12;
      for (const { user, hours, snapshot } of steps) {
        const off = hours < 0 || hours > 9;
        if (!off) time += hours * 3_600_000;
        const at = off ? time + hours * 3_600_000 : time;
        there.add(user);
        const gone = seen.note(user, at);
        assert.deepEqual(gone.toSorted(), naive.note(user, at));
        evicted += gone.length;
        for (const one of gone) there.delete(one);
        if (!snapshot) continue;
        const users = [...there];
        const tensors = decodeSafetensors(encodeSafetensors(seen.snapshot('x', users)), 'here');
        seen = new LastSeen(DAY, () => there);
        seen.load('x', users, tensors);
        assert.deepEqual(seen.snapshot('x', users), tensors);
      }
    }),
    { numRuns: 60, seed: 3 },
  );
  assert(evicted > 100, `${evicted}`);
});

test('31 events of the far future move nothing; the 32nd in a row does', () => {
  const seen = new LastSeen(DAY, () => ['early']);
  for (let n = 0; n < 40; n++) assert.deepEqual(seen.note('a', n), []);
  for (let n = 0; n < 31; n++) assert.deepEqual(seen.note('broken', 100 * DAY), []);
  assert.deepEqual(seen.note('a', 41), []);
  for (let n = 0; n < 31; n++) assert.deepEqual(seen.note('broken', 100 * DAY), []);
  assert.deepEqual(seen.note('broken', 100 * DAY), ['early', 'a']);
});

test('a snapshot without one user keeps the others’ times', () => {
  const users = ['a', 'b', 'c'];
  const seen = new LastSeen(DAY, () => users);
  for (const [day, user] of users.entries()) for (let n = 0; n < 32; n++) seen.note(user, 0.4 * day * DAY);
  const cut = seenOf('x', seen.snapshot('x', users), [0, 2]);
  const copy = new LastSeen(DAY, () => ['a', 'c']);
  copy.load('x', ['a', 'c'], cut);
  assert.deepEqual(copy.snapshot('x', ['a', 'c']), cut);
  assert.deepEqual(seenOf('x', new Map(), [0]), new Map());
  const gone: string[] = [];
  for (let n = 0; n < 32; n++) gone.push(...copy.note('new', 1.7 * DAY));
  assert.deepEqual(gone, ['a']);
});
