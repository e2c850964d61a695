import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isCommon, parseRecord, recordSchema } from '../../src/online/records.js';

const TYPES = ['event', 'learn', 'outcome', 'pause', 'erased', 'lost', 'unheard of'];
const FIELDS = ['id', 'user', 'item', 'behaviour', 'requestId', 'time', 'value', 'through', 'shown', 'more'];

/** Mostly what records hold, and now and then something else; read from JSON, as the journal is. */
const anyValue = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.double(),
  fc.constantFrom(Number.POSITIVE_INFINITY, -0, 2 ** 53, 0.5, null, true, {}, []),
);
const proper: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  time: fc.double({ noNaN: true, noDefaultInfinity: true }),
  value: fc.double({ noNaN: true, noDefaultInfinity: true }),
  through: fc.integer(),
  shown: fc.array(fc.string()),
};
const field = (name: string): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 12, arbitrary: proper[name] ?? fc.string() }, { weight: 1, arbitrary: anyValue });
const anyRecord = fc
  .record({
    type: fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...TYPES) }, { weight: 1, arbitrary: anyValue }),
    needed: fc.subarray(FIELDS, { minLength: 0 }),
    base: fc.constantFrom([], ['through'], ['id', 'user', 'item', 'behaviour', 'time']),
  })
  .chain(({ type, needed, base }) => {
    const names = [...new Set([...base, ...(needed.length > 3 ? [] : needed)])];
    return fc
      .record(Object.fromEntries(names.map((name) => [name, field(name)])))
      .map((rest) => ({ type, ...rest }));
  });

test('a record is taken, left and refused as the schema has it, whichever way it is checked', () => {
  let common = 0;
  fc.assert(
    fc.property(anyRecord, (record) => {
      const parsed = recordSchema.safeParse(record);
      if (isCommon(record)) {
        common++;
        assert(parsed.success, 'the schema refuses it');
        assert.deepEqual(record, parsed.data);
      }
      if (parsed.success) assert.deepEqual(parseRecord(1, record), parsed.data);
      else assert.throws(() => parseRecord(7, record), /journal record 7 is not one this version knows/);
    }),
    { numRuns: 3000 },
  );
  assert(common > 100, `${common} records took the short way`);
});

test('what is no record is refused', () => {
  for (const one of [null, undefined, 'event', 3, [], { type: null }]) assert(!isCommon(one));
  assert.throws(() => parseRecord(1, null), /journal record 1/);
});
