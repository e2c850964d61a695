import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecsysError } from '../../src/errors.js';
import type { Answers, Artefact } from '../../src/export/artefact.js';
import { checkParity, type ParityOptions } from '../../src/export/parity.js';
import { randomRequests } from '../../src/export/requests.js';
import type { Query, Scorer } from '../../src/types.js';
import { catalogueOf, recordingContext } from '../suites/fixtures.js';

const query = (): Query => ({ user: 0, items: Int32Array.of(1), behaviours: Uint8Array.of(0) });
/** Scores of three items for every request; column 0 is padding. */
const SCORES = [-1e9, 4, -8, 2];

const scorer: Scorer = {
  name: 'checkpoint',
  items: 3,
  score: async (queries) => Float32Array.from(queries.flatMap(() => SCORES)),
};

const artefact = (one: { scores?: number[]; state?: number[]; top?: number[] }): Artefact => ({
  runtime: 'a runtime',
  answer: async (queries): Promise<Answers> => {
    const each = (values: number[] | undefined) => values && Float32Array.from(queries.flatMap(() => values));
    return { scores: each(one.scores ?? SCORES)!, state: each(one.state), top: each(one.top) };
  },
  dispose: () => undefined,
});

const check = (exported: Artefact, more: Partial<ParityOptions> = {}) =>
  checkParity(scorer, exported, [query(), query()], { tolerance: 0.1, context: recordingContext(), ...more });

test('a difference is a share of the largest score of the request; padding does not count', async () => {
  const { differences, requests, runtime } = await check(artefact({ scores: [7, 4.4, -8, 2] }));
  assert.ok(Math.abs(differences.scores! - 0.4 / 8) < 1e-6);
  assert.deepEqual([requests, runtime], [2, 'a runtime']);
});

test('a larger one fails, and so does what is no number', async () => {
  for (const scores of [
    [0, 4.9, -8, 2],
    [0, Number.NaN, -8, 2],
    [0, 4, Number.POSITIVE_INFINITY, 2],
  ])
    await assert.rejects(
      check(artefact({ scores })),
      (error) =>
        error instanceof RecsysError &&
        error.code === 'EXPORT_DIFFERS' &&
        /scores: a runtime/.test(error.message),
    );
});

test('a list is right where its scores are the best ones: equal scores may change places', async () => {
  assert.equal((await check(artefact({ top: [1, 3] }))).differences.top, 0);
  assert.equal((await check(artefact({ top: [3, 1] }), { tolerance: 1 })).differences.top, 2 / 8);
  for (const top of [
    [1, 1],
    [0, 1],
  ])
    await assert.rejects(check(artefact({ top }), { tolerance: 1e6 }), /top: a runtime differs .* Infinity/);
});

test('state · vector + offset is compared with the scores', async () => {
  const vectors = {
    width: 2,
    vectors: Float32Array.of(0, 0, 1, 1, -4, 0, 0, 1),
    offsets: Float32Array.of(-1e9, 1, 0, 1),
  };
  assert.equal((await check(artefact({ state: [2, 1] }), { vectors })).differences.state, 0);
  await assert.rejects(check(artefact({ state: [1, 1] }), { vectors }), /state: a runtime differs/);
});

test('an interruption stops it', async () => {
  const context = recordingContext();
  context.stop();
  await assert.rejects(check(artefact({}), { context }), /interrupted/);
});

test('random requests: none and the longest history among them, all within the vocabularies, the same for a seed', () => {
  const catalogue = catalogueOf(4, 9);
  const requests = randomRequests(catalogue, 6, 200, 1);
  assert.deepEqual([requests[0]!.items.length, requests[1]!.items.length], [0, 6]);
  const all = (pick: (q: Query) => Iterable<number>) =>
    [...new Set(requests.flatMap((q) => [...pick(q)]))].sort((a, b) => a - b);
  assert.deepEqual(
    all((q) => q.items),
    [1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  assert.deepEqual(
    all((q) => q.behaviours),
    [0, 1],
  );
  assert.deepEqual(
    all((q) => [q.user]),
    [0, 1, 2, 3, 4],
  );
  assert.deepEqual(
    all((q) => [q.items.length]),
    [0, 1, 2, 3, 4, 5, 6],
  );
  assert.deepEqual(randomRequests(catalogue, 6, 200, 1), requests);
  assert.notDeepEqual(randomRequests(catalogue, 6, 200, 2), requests);
});
