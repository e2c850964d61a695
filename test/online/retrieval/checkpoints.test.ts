import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { retrievalSchema } from '../../../src/online/retrieval/schema.js';
import { writeTinyCheckpoint } from '../checkpoint-fixture.js';
import { shop } from '../checkpoints/fixtures.js';
import { event } from '../fixtures.js';
import { skip } from './fixtures.js';

test('another checkpoint has an index of its own; one that can have none is refused, and lists go on', {
  skip,
}, async (t) => {
  const { serve, state, directory } = await shop(t);
  await writeTinyCheckpoint(join(directory, 'mlp'), 4, {}, { model: { name: 'mlp', width: 8, length: 10 } });
  const { running, client } = await serve({ retrieval: retrievalSchema.parse({ kind: 'usearch' }) });
  const ready = async (): Promise<void> => {
    while (!/^recsys_retrieval_ready 1$/m.test(await client.metrics())) await sleep(5);
  };
  const facts = async () => JSON.parse(await readFile(join(state, 'index', 'index.json'), 'utf8'));
  await ready();
  const first = await facts();
  await client.events([event('a', 'i7', 'ann')]);
  await assert.rejects(client.takeCheckpoint({ path: 'mlp', force: true }), {
    code: 'CHECKPOINT_REFUSED',
    message: /CONFIG_INVALID: retrieval\.kind: .* mlp is none/,
  });
  assert.equal((await client.recommendations('ann', { k: 5 })).items.length, 5);
  await client.events([event('b', 'i9', 'ann')]);

  await client.takeCheckpoint({ path: 'a', force: true });
  await ready();
  const second = await facts();
  assert.notEqual(second.checkpoint, first.checkpoint);
  assert.match(second.checkpoint, /@\d+$/);
  assert.equal((await client.recommendations('ann', { k: 5 })).items.length, 5);
  await running.stop();
});
