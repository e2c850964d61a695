import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mappedScorer, sameVocabulary, UNKNOWN_SCORE } from '../../src/evaluation/mapped.js';
import { rankTargets } from '../../src/evaluation/rank.js';
import type { Query, Scorer } from '../../src/types.js';
import { makeDataset } from './fixture.js';

const model = makeDataset([
  ['v', 'c', 'train', { behaviour: 'buy' }],
  ['u', 'a', 'train', { behaviour: 'view' }],
]).catalogue; // users v u, items a c
const dataset = makeDataset([
  ['u', 'a', 'train', { behaviour: 'view' }],
  ['u', 'b', 'train', { behaviour: 'like' }],
  ['u', 'c', 'train', { behaviour: 'buy' }],
  ['w', 'd', 'train', { behaviour: 'view' }],
]).catalogue; // users u w, items a b c d, behaviours view like buy

test('histories, users and behaviours are translated by id, scores back', async () => {
  let asked: readonly Query[] = [];
  const inner: Scorer = {
    name: 'inner',
    items: 2,
    async score(queries) {
      asked = queries;
      return Float32Array.from(queries.flatMap(() => [0, 10, 30]));
    },
  };
  const mapped = mappedScorer(inner, model, dataset);
  const history = {
    items: Int32Array.of(3, 2, 1),
    behaviours: Uint8Array.of(2, 1, 0),
    times: Float64Array.of(7, 8, 9),
  };
  const scores = await mapped.score([
    { user: 1, ...history, asks: 2 },
    { user: 2, items: Int32Array.of(4, 1), behaviours: Uint8Array.of(0, 1), asks: 1 },
  ]);
  assert.deepEqual(
    asked.map(({ asks }) => asks),
    [0, undefined],
    'of a behaviour that is not known, any',
  );
  assert.deepEqual(
    asked.map(({ user, items, behaviours }) => [user, [...items], [...behaviours]]),
    [
      [2, [2, 1], [0, 1]],
      [0, [1], [0]],
    ],
  );
  assert.deepEqual(
    asked.map(({ times }) => times && [...times]),
    [[7, 9], undefined],
  );
  assert.deepEqual([...scores.subarray(1, 5)], [10, UNKNOWN_SCORE, 30, UNKNOWN_SCORE]);
  assert.deepEqual([mapped.unknownItems, mapped.unknownUsers, mapped.unknownBehaviours], [2, 1, ['like']]);
  assert.deepEqual([...rankTargets(scores, 4, 0, Int32Array.of(2), new Int32Array(0))], [2.5]);
});

test('equal vocabularies are recognised', () => {
  assert.ok(sameVocabulary(model, { ...model, items: [...model.items] }));
  assert.ok(!sameVocabulary(model, dataset));
});
