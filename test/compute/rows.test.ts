import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Table } from '../../src/compute/parameters.js';
import { type LookupGradient, mergeRows } from '../../src/compute/rows.js';
import { assertClose } from '../suites/assertions.js';

const table = (rows: number, width: number): Table => ({ rows, width, data: new Float32Array(rows * width) });
const recorded = (name: string, ids: number[], rows: number[][]): LookupGradient => ({
  name,
  ids: Int32Array.from(ids),
  gradient: Float32Array.from(rows.flat()),
});

describe('merged rows', () => {
  test('equal ids of all lookups are summed, row 0 is left out, and weighed', () => {
    const merged = mergeRows(
      [
        recorded(
          't',
          [3, 0, 3],
          [
            [1, 2],
            [50, 50],
            [10, 20],
          ],
        ),
        recorded(
          't',
          [1, 3],
          [
            [5, 6],
            [100, 200],
          ],
        ),
        recorded('u', [2], [[7]]),
      ],
      new Map([
        ['t', table(4, 2)],
        ['u', table(3, 1)],
      ]),
      0.5,
    );
    assert.deepEqual(
      merged.map((m) => [m.name, [...m.ids], [...m.gradient]]),
      [
        ['t', [1, 3], [2.5, 3, 55.5, 111]],
        ['u', [2], [3.5]],
      ],
    );
    assertClose([merged[1]!.squaredNorm()], [12.25], 'norm');
  });

  test('only padding: nothing is left to update', () => {
    const [merged] = mergeRows([recorded('t', [0, 0], [[1], [2]])], new Map([['t', table(2, 1)]]), 1);
    assert.equal(merged!.ids.length, 0);
    assert.equal(merged!.squaredNorm(), 0);
  });

  test('prepare scales the gradient and adds the penalty of its own rows', () => {
    const held: Table = { rows: 3, width: 1, data: Float32Array.of(9, 10, 20) };
    const [merged] = mergeRows([recorded('t', [2, 1], [[4], [6]])], new Map([['t', held]]), 1);
    merged!.prepare(held.data, 0.5, 0.1);
    assertClose(merged!.gradient, [3 + 1, 2 + 2], 'gradient');
  });

  test('merging equals scatter-add, for any ids in any number of lookups', () => {
    const lookups = fc.array(fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 6 }), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(lookups, (lists) => {
        let n = 0;
        const expected = new Float32Array(12);
        const all = lists.map((ids) => {
          const rows = ids.map(() => [++n, -n]);
          ids.forEach((id, i) => {
            for (const j of [0, 1]) if (id > 0) expected[id * 2 + j] = expected[id * 2 + j]! + rows[i]![j]!;
          });
          return recorded('t', ids, rows);
        });
        const [merged] = mergeRows(all, new Map([['t', table(6, 2)]]), 1);
        const found = new Float32Array(12);
        merged!.ids.forEach((id, k) => {
          found.set(merged!.gradient.subarray(k * 2, k * 2 + 2), id * 2);
        });
        assert.deepEqual(found, expected);
      }),
      { numRuns: 50 },
    );
  });
});
