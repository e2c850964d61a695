import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RowSet } from '../../src/online/row-set.js';

test('a set of rows is that of the rows added since it was last emptied', () => {
  const step = fc.oneof(fc.constant(undefined), fc.integer({ min: 0, max: 9 }));
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const rows = new RowSet(10);
      const expected = new Set<number>();
      assert(!rows.has(0));
      for (const row of steps) {
        if (row === undefined) {
          rows.clear();
          expected.clear();
        } else {
          rows.add(row);
          expected.add(row);
        }
        for (let r = 0; r < 10; r++) assert.equal(rows.has(r), expected.has(r));
      }
    }),
  );
});
