import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addItemAttributes, foldItemAttributes } from '../../../src/training/ridge/attributes.js';
import { type Inputs, inputsOf } from '../../../src/training/ridge/inputs.js';
import { type MomentOptions, moments, type Targets } from '../../../src/training/ridge/moments.js';
import type { TrainRows } from '../../../src/training/train-rows.js';
import { assertClose } from '../../suites/assertions.js';
import { richCatalogue } from '../../suites/fixtures.js';

const ITEMS = 5;
const USERS = 3;
const EACH = 2;
const CATALOGUE = richCatalogue(USERS, ITEMS);

interface Case {
  readonly rows: TrainRows;
  readonly targets: Targets;
  readonly decay: number;
  readonly length: number;
}

/** Train rows of a few users, with targets in which an item may stand twice. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    users: fc.array(
      fc.array(
        fc.record({ item: fc.integer({ min: 1, max: ITEMS }), weight: fc.constantFrom(0, 1, 1, 0.5) }),
        {
          maxLength: 7,
        },
      ),
      { minLength: USERS, maxLength: USERS },
    ),
    ids: fc.array(fc.integer({ min: 0, max: ITEMS }), { minLength: 60, maxLength: 60 }),
    shares: fc.array(fc.constantFrom(0, 0.25, 0.5, 1), { minLength: 60, maxLength: 60 }),
    decay: fc.constantFrom(0.5, 0.9, 1),
    length: fc.integer({ min: 1, max: 8 }),
  })
  .map(({ users, ids, shares, decay, length }) => {
    const all = users.flat();
    const ends = users.map((_, u) => users.slice(0, u + 1).flat().length);
    const rows = {
      users: USERS,
      offsets: Int32Array.from([0, 0, ...ends]),
      item: Int32Array.from(all, ({ item }) => item),
      behaviour: new Int32Array(all.length).fill(1),
      value: new Float32Array(all.length),
      weight: Float32Array.from(all, ({ weight }) => weight),
    };
    return {
      rows,
      decay,
      length,
      targets: { each: EACH, ids: Int32Array.from(ids), shares: Float32Array.from(shares) },
    };
  });

const optionsOf = ({ targets, decay, length }: Case, inputs: Inputs): MomentOptions => ({
  inputs: inputs.size,
  columns: ITEMS + 1,
  ...{ decay, length },
  ofUser: inputs.ofUser,
  targets: (first, count) => ({
    each: EACH,
    ids: targets.ids.subarray(EACH * first, EACH * (first + count)),
    shares: targets.shares.subarray(EACH * first, EACH * (first + count)),
  }),
});

/** The same by the definition: every position's input and target written out. */
function naive({ rows, targets, decay, length }: Case, { size, ofUser, ofItem }: Inputs) {
  const columns = ITEMS + 1;
  const gram = new Float64Array(size * size);
  const cross = new Float64Array(size * columns);
  let squares = 0;
  let weight = 0;
  for (let user = 1; user <= rows.users; user++)
    for (let n = rows.offsets[user]!; n < rows.offsets[user + 1]!; n++) {
      const w = rows.weight[n]!;
      const x = new Float64Array(size);
      for (const input of ofUser(user)) x[input] = 1;
      for (let s = n - 1; s >= rows.offsets[user]! && s >= n - length; s--)
        for (const input of [rows.item[s]!, ...ofItem(rows.item[s]!)]) x[input]! += decay ** (n - 1 - s);
      const y = new Float64Array(columns);
      for (let k = EACH * n; k < EACH * (n + 1); k++) y[targets.ids[k]!]! += targets.shares[k]!;
      for (let i = 0; i < size; i++) {
        for (let j = 0; j < size; j++) gram[i * size + j]! += w * x[i]! * x[j]!;
        for (let j = 0; j < columns; j++) cross[i * columns + j]! += w * x[i]! * y[j]!;
      }
      squares += w * y.reduce((sum, v) => sum + v * v, 0);
      weight += w;
    }
  return { gram, cross, squares, weight };
}

for (const attributes of [false, true])
  test(`the recursion gives what the definition does, ${attributes ? 'with' : 'without'} attributes`, async () => {
    const inputs = inputsOf(CATALOGUE, { itemAttributes: attributes, userAttributes: attributes });
    assert.equal(inputs.size, 1 + ITEMS + (attributes ? 6 : 0));
    await fc.assert(
      fc.asyncProperty(cases, async (one) => {
        const found = await moments(one.rows, optionsOf(one, inputs));
        addItemAttributes(found, inputs);
        const expected = naive(one, inputs);
        for (let i = 0; i < inputs.size; i++)
          for (let j = 0; j <= i; j++)
            assertClose(
              [found.gram.data[i * found.gram.stride + j]!],
              [expected.gram[i * inputs.size + j]!],
              `XᵀX of ${i} and ${j}`,
              1e-9,
            );
        assertClose(found.cross, expected.cross, 'XᵀY', 1e-5);
        assertClose([found.squares, found.weight], [expected.squares, expected.weight], 'sums', 1e-9);
      }),
    );
  });

test('weights of attribute values go to the items that have them', () => {
  const inputs = inputsOf(CATALOGUE, { itemAttributes: true, userAttributes: true });
  const columns = ITEMS + 1;
  const weights = Float32Array.from({ length: inputs.size * columns }, (_, i) => Math.floor(i / columns));
  foldItemAttributes(weights, columns, inputs);
  for (let item = 1; item <= ITEMS; item++) {
    const expected = inputs.ofItem(item).reduce((sum, row) => sum + row, item);
    assert.equal(weights[item * columns], expected);
    assert.equal(weights[item * columns + ITEMS], expected);
  }
});
