import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { didYouMean, editDistance, hint, nearest } from '../src/nearest.js';

test('edit distance: hand-computed', () => {
  assert.equal(editDistance('kitten', 'sitting'), 3);
  assert.equal(editDistance('ab', 'ba'), 1, 'a swap is one edit');
  assert.equal(editDistance('', 'abc'), 3);
  assert.equal(editDistance('same', 'same'), 0);
});

test('edit distance is symmetric, zero only for equals, and at most the longer length', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
      const distance = editDistance(a, b);
      assert.equal(distance, editDistance(b, a));
      assert.equal(distance === 0, a === b);
      assert.ok(distance <= Math.max(a.length, b.length));
    }),
  );
});

test('the nearest word, where one is near enough', () => {
  const keys = ['learningRate', 'epochs', 'batchSize'];
  assert.equal(nearest('learning_rate', keys), 'learningRate');
  assert.equal(nearest('batchsize', keys), 'batchSize');
  assert.equal(nearest('epoch', keys), 'epochs');
  assert.equal(nearest('dropout', keys), undefined);
  assert.equal(nearest('x', []), undefined);
  assert.equal(hint('dropout', keys), '; known: learningRate, epochs, batchSize');
  assert.equal(hint('x', []), '');
  assert.equal(didYouMean('epoch', keys), '; did you mean "epochs"?');
  assert.equal(didYouMean('dropout', keys), '');
});
