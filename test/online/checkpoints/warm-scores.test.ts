import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fixedShape } from '../../../src/model/scorer.js';
import { warmScores } from '../../../src/online/checkpoints/warm-scores.js';
import type { Query } from '../../../src/types.js';

const historyOf = (n: number) => ({ items: new Int32Array(n) }) as Query;

test('whatever is asked together, its shape was scored before', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 60 }),
      fc.array(fc.nat(100), { minLength: 1, maxLength: 16 }),
      async (length, histories) => {
        const shapes = new Set<string>();
        const shapeOf = (queries: readonly Query[]) => JSON.stringify(fixedShape(queries, length));
        await warmScores({
          length,
          columns: { times: true },
          score: async (queries) => {
            assert.equal(queries[0]!.times!.length, queries[0]!.items.length);
            shapes.add(shapeOf(queries));
            return new Float32Array();
          },
        });
        assert(shapes.has(shapeOf(histories.map(historyOf))));
      },
    ),
  );
});
