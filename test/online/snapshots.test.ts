import assert from 'node:assert/strict';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { learningSchema, qualitySchema, retentionSchema } from '../../src/online/schema.js';
import type { ServeOptions } from '../../src/online/serve-options.js';
import { RecommenderService } from '../../src/online/service.js';
import { readCheckpoint } from '../../src/storage/checkpoint.js';
import { decodeSafetensors } from '../../src/storage/safetensors.js';
import { writeTinyCheckpoint } from './checkpoint-fixture.js';
import { temporary } from './fixtures.js';

import { caughtUp, lists, send, start } from './serve-fixture.js';

test('snapshots are taken while serving, free segments, and a kill at any moment goes on from the newest', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const retention = retentionSchema.parse({ snapshotMinutes: 0.002, segmentBytes: 4096, segments: 1 });
  const first = await start(model, state, { retention });
  for (let n = 0; n < 40; n++) await send(first.url, 10 * n, 10);
  await caughtUp(first.url);
  const expected = await lists(first.url);
  while (!first.lines.some((line) => /info: removed \d+ journal segments/.test(line)))
    await new Promise((resolve) => setTimeout(resolve, 20));
  const killed = join(dir, 'killed');
  await cp(join(state, 'journal'), join(killed, 'journal'), { recursive: true });
  await first.stop();
  // As a kill between the two renames leaves it: the snapshot is only there under the name it was moved aside to.
  await cp(join(state, 'snapshot'), join(killed, 'snapshot.replaced'), { recursive: true });
  const again = await start(model, killed);
  assert(
    again.lines.some((line) => /going on from the snapshot at journal record [1-9]/.test(line)),
    again.lines.join('\n'),
  );
  assert.equal(await lists(again.url), expected);
  assert.equal((await again.stop()).metrics.learned, 400);
});

test('however often it is stopped, measured or not: the same bits as from one journal replayed whole', async (t) => {
  const dir = await temporary(t);
  const model = join(dir, 'model');
  await writeTinyCheckpoint(model);
  const learning = learningSchema.parse({ learningRate: 0.1, newItems: 2, user: { rate: 0.5 } });
  const retention = retentionSchema.parse({ history: 5 });
  const life = async (state: string, from: number, to: number, arms: boolean): Promise<void> => {
    const running = await start(join(dir, 'model'), state, {
      ...{ learning, retention },
      quality: qualitySchema.parse({ arms }),
    });
    for (let n = from; n < to; n++) {
      const reply = await fetch(`${running.url}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          id: n,
          user: `user${n % 5}`,
          item: n % 4 === 3 ? `new${n % 3}` : `i${((n * 11) % 40) + 1}`,
          behaviour: n % 3 ? 'view' : 'buy',
          time: 1_700_000_000_000 + n,
        }),
      });
      assert.equal(reply.status, 200, await reply.text());
      await caughtUp(running.url);
    }
    await running.stop();
  };
  const [often, whole] = [join(dir, 'often'), join(dir, 'whole')];
  let from = 0;
  for (const to of [1, 8, 9, 24]) {
    await life(often, from, to, to % 2 === 0);
    from = to;
  }
  await cp(join(often, 'journal'), join(whole, 'journal'), { recursive: true });
  await life(whole, 24, 24, false);
  for (const file of [
    'model.safetensors',
    'online.safetensors',
    'vocabulary/items.jsonl',
    'trained_events.bin',
  ]) {
    const [a, b] = [often, whole].map((state) => readFile(join(state, 'snapshot', file)));
    const tensors = file.startsWith('online')
      ? ['history', 'introduced', 'optimizer', 'popularity', 'served']
      : [];
    if (tensors.length === 0) assert(Buffer.compare(await a!, await b!) === 0, file);
    else {
      const [x, y] = [decodeSafetensors(await a!, file), decodeSafetensors(await b!, file)];
      const names = [...x.keys()].filter((name) => tensors.some((kind) => name.startsWith(kind)));
      assert(names.length > tensors.length, `${names}`);
      for (const name of names) assert.deepEqual(y.get(name), x.get(name), name);
    }
  }
});

test('a start with other settings than those of the snapshot says which', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const said = async (learning: object, over: Partial<ServeOptions> = {}): Promise<string[]> => {
    const running = await start(model, state, { learning: learningSchema.parse(learning), ...over });
    await running.stop();
    return running.lines.filter((line) => line.includes('settings have changed'));
  };
  assert.deepEqual(await said({}), [], 'nothing was before');
  assert.deepEqual(await said({ batch: 4, queue: 7 }), [], 'they do not matter');
  const [line] = await said({ learningRate: 0.2, weights: { buy: 2 }, minimumValue: 3 }, { seed: 8 });
  for (const one of [
    'seed: 7 → 8',
    'learning.learningRate: 0.005 → 0.2',
    'learning.weights.buy: none → 2',
    'learning.minimumValue: none → 3',
  ])
    assert(line!.includes(one), `${line}`);
  assert.equal(line!.split('→').length, 5, line);
});

test('while nothing happens no snapshot is taken', async (t) => {
  const dir = await temporary(t);
  await writeTinyCheckpoint(join(dir, 'model'));
  const taken = t.mock.method(RecommenderService.prototype, 'snapshot');
  const retention = retentionSchema.parse({ snapshotMinutes: 0.0005 });
  const running = await start(join(dir, 'model'), join(dir, 'state'), { retention });
  await send(running.url, 0, 5);
  await caughtUp(running.url);
  const written = () => running.lines.filter((line) => /info: snapshot at journal record/.test(line)).length;
  let before = -1;
  for (let n = 0; n < 20 && (taken.mock.callCount() > before || written() < before); n++) {
    before = taken.mock.callCount();
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  assert(before > 0);
  assert.equal(taken.mock.callCount(), before);
  assert.equal((await running.stop()).metrics.learned, 5);
  assert.equal(written(), before, 'nor when it stops');
});

test('after a long replay a snapshot is taken at once: the next start is a short one', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const idle = {
    learning: learningSchema.parse({ enabled: false }),
    quality: qualitySchema.parse({ share: 0 }),
  };
  const first = await start(model, state, idle);
  for (let n = 0; n < 11; n++) await send(first.url, 1000 * n, 1000);
  await caughtUp(first.url);
  const killed = join(dir, 'killed');
  await cp(state, killed, { recursive: true, filter: (path) => !path.endsWith('lock') });
  await first.stop();
  const second = await start(model, killed, idle);
  assert(
    second.lines.some((line) => /going on from the snapshot at journal record 0/.test(line)),
    `${second.lines}`,
  );
  while (!second.lines.some((line) => /info: snapshot at journal record 1\d{4}/.test(line)))
    await new Promise((resolve) => setTimeout(resolve, 20));
  await second.stop();
  const third = await start(model, killed, idle);
  assert(
    third.lines.some((line) => /going on from the snapshot at journal record 1\d{4}/.test(line)),
    third.lines.join('\n'),
  );
  await third.stop();
});

test('an item that came is in the snapshot, in the checkpoint written, and in the next life', async (t) => {
  const dir = await temporary(t);
  const [model, state, out] = [join(dir, 'model'), join(dir, 'state'), join(dir, 'out')];
  await writeTinyCheckpoint(model);
  const base = (await readCheckpoint(model)).catalogue.items.length;
  const novel = async (url: string, from: number): Promise<void> => {
    const events = Array.from({ length: 8 }, (_, i) => ({
      id: from + i,
      user: `v${from}${i >> 1}`,
      item: i % 2 ? 'novelty' : 'i7',
      behaviour: 'view',
    }));
    const reply = await fetch(`${url}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(events),
    });
    assert.equal(reply.status, 200, await reply.text());
    await caughtUp(url);
  };
  const first = await start(model, state, { out });
  await novel(first.url, 0);
  const expected = await lists(first.url);
  await cp(join(state, 'journal'), join(dir, 'killed', 'journal'), { recursive: true });
  await first.stop();
  const written = await readCheckpoint(out);
  assert.equal(written.catalogue.items.length, base + 1);
  assert.equal(written.catalogue.items.at(-1), 'novelty');
  for (const where of [state, join(dir, 'killed')]) {
    const again = await start(model, where);
    assert.equal(await lists(again.url), expected, where);
    await novel(again.url, 100);
    const more = await lists(again.url);
    await again.stop();
    const third = await start(model, where);
    assert.equal(await lists(third.url), more, where);
    await third.stop();
  }
  const served = await start(out, join(dir, 'elsewhere'));
  assert.equal(await lists(served.url), expected, 'an ordinary checkpoint');
  await served.stop();
});
