import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Eras, NEXT } from '../../../src/online/checkpoints/eras.js';
import type { NumberedRecord } from '../../../src/online/checkpoints/record.js';

const named = (name: string) => ({ sha256: name.repeat(64), path: `/${name}` });
const first = named('f');
const to = (seq: number, name: string): NumberedRecord => ({
  type: 'checkpoint',
  seq,
  ...named(name),
  before: first,
});
const back = (seq: number): NumberedRecord => ({ ...to(seq, 'x'), back: true });
/** Which of the first 9 records teach what is served. */
const taught = (eras: Eras): number[] => [1, 2, 3, 4, 5, 6, 7, 8, 9].filter((seq) => eras.learns(seq));

test('of one checkpoint every record is its own, and a snapshot is named by it alone', () => {
  const eras = Eras.of(first);
  assert.deepEqual([eras.id, eras.since, eras.version], [first.sha256, 0, 'f'.repeat(12)]);
  assert.deepEqual(taught(eras), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert(eras.fits(first.sha256));
  assert(!eras.fits(`${first.sha256}@next`));
  assert(!eras.fits(undefined));
});

test('one that is taken up learns from its record on; gone back to, the one before has what it learned before and since', () => {
  const a = Eras.of(first, [to(3, 'a')]);
  assert.deepEqual(taught(a), [4, 5, 6, 7, 8, 9]);
  const b = a.after(to(5, 'b'));
  assert.deepEqual([taught(b), b.current.path, b.since], [[6, 7, 8, 9], '/b', 5]);
  const again = b.after(back(6));
  assert.deepEqual([taught(again), again.current.path, again.since], [[4, 5, 7, 8, 9], '/a', 6]);
  assert.equal(again.id, a.id);
  const home = again.after(back(8));
  assert.deepEqual([taught(home), home.id], [[1, 2, 3, 9], first.sha256]);
  assert.throws(() => home.after(back(9)), { code: 'JOURNAL_DAMAGED' });
});

test('the same checkpoint taken up again is another line, by name of snapshots and of versions', () => {
  const eras = Eras.of(first, [to(3, 'a'), to(5, 'f')]);
  assert.deepEqual(taught(eras), [6, 7, 8, 9]);
  assert.deepEqual([eras.id, eras.version], [`${first.sha256}@5`, `${'f'.repeat(12)}@5`]);
  assert(!eras.fits(first.sha256));
});

test('what is made ready for a record that is not written yet teaches nothing, and fits once it is', () => {
  const before = Eras.of(first, [to(2, 'a')]);
  const ready = before.after(to(NEXT, 'b'));
  assert.deepEqual(taught(ready), []);
  assert(before.after(to(7, 'b')).fits(ready.id));
  assert(!before.fits(ready.id));
  // Back to the one before: its own until the last record.
  assert.deepEqual(taught(before.after(back(NEXT))), [1, 2]);
});

test('each record teaches the line that was served when it was written, whatever the order of records', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'b', 'back'), { maxLength: 12 }), (moves) => {
      let eras = Eras.of(first);
      const served = [eras.current];
      for (const [i, move] of moves.entries()) {
        if (move === 'back' && !eras.current.before) continue;
        const seq = 10 * (i + 1);
        eras = eras.after(move === 'back' ? back(seq) : to(seq, move));
        while (served.length <= i) served.push(served.at(-1)!);
        served[i + 1] = eras.current;
      }
      for (const [i, line] of served.entries()) assert.equal(eras.learns(10 * i + 5), line === eras.current);
    }),
  );
});
