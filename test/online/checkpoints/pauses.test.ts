import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LearningState } from '../../../src/online/guard/learning-state.js';
import { guardSchema } from '../../../src/online/guard/schema.js';

const named = { sha256: 'a', path: '/a' };
const taken = { type: 'checkpoint', ...named, before: named } as const;

test('what the guard paused goes on with another checkpoint, what an operator did does not; rollbacks keep their count', () => {
  const state = new LearningState(guardSchema.parse({}));
  state.apply(1, { type: 'rollback', to: 0 });
  for (const reason of ['learning failed', 'learning diverged', 'worse than the frozen model']) {
    state.apply(2, { type: 'pause', reason });
    state.apply(3, taken);
    assert.equal(state.paused, undefined);
  }
  state.apply(4, { type: 'pause', reason: 'paused by an operator' });
  state.apply(5, { ...taken, back: true });
  assert.deepEqual(state.paused, { reason: 'paused by an operator', since: 4 });
  assert.equal(state.rollbacks, 1);
});
