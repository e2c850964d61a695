import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OPTIMIZER_NAMES, OPTIMIZERS } from '../../src/compute/optimizers/index.js';
import { optimizerSchema } from '../../src/training/schema.js';

const VALUES = { weightDecay: 0.1, momentum: 0.5, l1: 0.2, l2: 0.3 };

test('an optimizer takes its own settings, and refuses those of others by name', () => {
  for (const name of OPTIMIZER_NAMES) {
    for (const [key, value] of Object.entries(VALUES)) {
      const parsed = optimizerSchema.safeParse({ name, [key]: value });
      const own = OPTIMIZERS[name]().settings?.some((k) => k === key) ?? false;
      assert.equal(parsed.success, own, `${name}, ${key}`);
      if (parsed.success) assert.deepEqual(optimizerSchema.parse(parsed.data), parsed.data);
      else {
        const [issue] = parsed.error.issues;
        assert.deepEqual(issue!.path, [key]);
        assert.match(issue!.message, new RegExp(`^${name} has no such key \\(\\w+ has\\)$`));
      }
    }
  }
});

test('settings out of their range are refused', () => {
  for (const bad of [
    { name: 'momentum', momentum: 1 },
    { name: 'adamw', weightDecay: -0.1 },
    { name: 'ftrl', l1: -1 },
  ])
    assert.equal(optimizerSchema.safeParse(bad).success, false, JSON.stringify(bad));
});
