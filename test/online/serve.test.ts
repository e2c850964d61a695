import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { RecsysError } from '../../src/errors.js';
import { guardSchema } from '../../src/online/guard/schema.js';
import { alertsSchema } from '../../src/online/guard/webhook.js';
import { learningSchema } from '../../src/online/schema.js';
import type { ServeOptions } from '../../src/online/serve-options.js';
import { RecommenderService } from '../../src/online/service.js';
import { readCheckpoint } from '../../src/storage/checkpoint.js';
import { writeTinyCheckpoint } from './checkpoint-fixture.js';
import { temporary } from './fixtures.js';
import { caughtUp, lists, type Running, send, start } from './serve-fixture.js';

test('stopped and served again: the same answers, from the model, from what was written, and after a kill', async (t) => {
  const dir = await temporary(t);
  const [model, state, out] = [join(dir, 'model'), join(dir, 'state'), join(dir, 'served')];
  await writeTinyCheckpoint(model);
  const first = await start(model, state, { out });
  const untouched = await lists(first.url);
  await send(first.url, 0, 30);
  await send(first.url, 30, 7);
  await caughtUp(first.url);
  const expected = await lists(first.url);
  assert.notEqual(expected, untouched);
  await cp(state, join(dir, 'killed'), { recursive: true, filter: (path) => !path.endsWith('lock') });
  const result = await first.stop();
  assert.equal(result.path, out);
  assert.equal(result.metrics.learned, 37);

  const written = await readCheckpoint(out);
  assert.equal(written.manifest.stage, 'serve-online');
  assert.deepEqual(
    written.manifest.lineage.map(({ stage }) => stage),
    ['distill'],
  );
  assert.equal(written.trainedEvents.length, 2 + 37);

  const restarts: [string, string, RegExp][] = [
    [model, state, /going on from the snapshot at journal record/],
    [out, state, /another checkpoint or dataset: not used/],
    [model, join(dir, 'killed'), /replaying \d+ journal records/],
  ];
  for (const [served, where, logged] of restarts) {
    const again = await start(served, where);
    assert.equal(await lists(again.url), expected, `${served} ${where}`);
    assert(
      again.lines.some((line) => logged.test(line)),
      again.lines.join('\n'),
    );
    const { metrics } = await again.stop();
    assert.equal(metrics.learned, 37);
  }

  const onward = await start(model, state);
  await send(onward.url, 30, 10);
  await caughtUp(onward.url);
  const further = await lists(onward.url);
  assert.equal((await onward.stop()).metrics.learned, 40, 'the ids 30–36 came a second time');
  await rm(join(state, 'snapshot'), { recursive: true });
  const replayed = await start(model, state);
  assert.equal(await lists(replayed.url), further, 'a replay from the base equals snapshot and rest');
  await replayed.stop();
});

test('a served checkpoint in a fresh state directory keeps what it learned and knows its users', async (t) => {
  const dir = await temporary(t);
  const [model, out] = [join(dir, 'model'), join(dir, 'served')];
  await writeTinyCheckpoint(model);
  const first = await start(model, join(dir, 'state'), { out });
  await send(first.url, 0, 20);
  await caughtUp(first.url);
  const expected = await lists(first.url);
  await first.stop();
  const again = await start(out, join(dir, 'elsewhere'));
  assert.equal(await lists(again.url), expected);
  await send(again.url, 0, 3);
  await again.stop();
});

test('a state directory in use, a damaged snapshot, an output that exists', async (t) => {
  const dir = await temporary(t);
  const [model, state, out] = [join(dir, 'model'), join(dir, 'state'), join(dir, 'out')];
  await writeTinyCheckpoint(model);
  const first = await start(model, state);
  await assert.rejects(start(model, state), { code: 'OUTPUT_BUSY' });
  await send(first.url, 0, 5);
  await caughtUp(first.url);
  const expected = await lists(first.url);
  await first.stop();
  assert.deepEqual((await readdir(state)).sort(), ['good', 'journal', 'snapshot']);

  await writeFile(join(state, 'snapshot', 'model.safetensors'), 'nonsense');
  const second = await start(model, state);
  assert(second.lines.some((line) => /the snapshot cannot be used.*kept as .*snapshot\.unusable/.test(line)));
  assert.equal(await readFile(join(state, 'snapshot.unusable', 'model.safetensors'), 'utf8'), 'nonsense');
  assert.equal(await lists(second.url), expected);
  await second.stop();

  await writeTinyCheckpoint(out, 2);
  await assert.rejects(start(model, state, { out }), { code: 'OUTPUT_EXISTS' });
  const other = await start(out, state);
  assert(other.lines.some((line) => /another checkpoint or dataset/.test(line)));
  await other.stop();
});

test('a journal that cannot be opened costs no tensor', async (t) => {
  const dir = await temporary(t);
  const [path, state] = [join(dir, 'model'), join(dir, 'state')];
  const model = { name: 'transformer', width: 8, depth: 1, heads: 1, length: 5, itemAttributes: false };
  await writeTinyCheckpoint(path, 1, {}, { model });
  const first = await start(path, state);
  await send(first.url, 0, 30);
  await caughtUp(first.url);
  await first.stop();
  const [segment] = await readdir(join(state, 'journal'));
  const bytes = await readFile(join(state, 'journal', segment!));
  bytes[bytes.length >> 1]! ^= 255;
  await writeFile(join(state, 'journal', segment!), bytes);
  await rm(join(state, 'snapshot'), { recursive: true });
  const held = tf.memory().numTensors;
  await assert.rejects(start(path, state), { code: 'JOURNAL_DAMAGED' });
  assert.equal(tf.memory().numTensors, held);
});

test('events that could not be learned before the stop are spoken of once the last request is answered', async (t) => {
  const dir = await temporary(t);
  await writeTinyCheckpoint(join(dir, 'model'));
  const { url, stop } = await start(join(dir, 'model'), join(dir, 'state'));
  t.mock.method(RecommenderService.prototype, 'drain', async () => {
    throw new RecsysError('DISK', '3 events could not be learned');
  });
  // A request whose body takes its time keeps the server from closing.
  const slow = connect(Number(new URL(url).port), '127.0.0.1');
  slow.write(
    'POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[',
  );
  await new Promise((resolve) => setTimeout(resolve, 100));
  const stopped = assert.rejects(stop(), { code: 'DISK' });
  await new Promise((resolve) => setTimeout(resolve, 200));
  slow.end(']');
  await stopped;
  // The state directory is free again.
  t.mock.restoreAll();
  const again = await start(join(dir, 'model'), join(dir, 'state'));
  await again.stop();
});

test('a busy port is found before anything is written', async (t) => {
  const dir = await temporary(t);
  const [model, state, out] = [join(dir, 'model'), join(dir, 'deep', 'state'), join(dir, 'served')];
  await writeTinyCheckpoint(model);
  const other = createServer().listen(0, '127.0.0.1');
  t.after(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  await assert.rejects(start(model, state, { port, out }), { code: 'PORT_IN_USE', exitCode: 5 });
  assert.deepEqual(await readdir(dir), ['model']);
});

test('a model of values learns from values, also when what it has become is served again', async (t) => {
  const dir = await temporary(t);
  const model = join(dir, 'model');
  await writeTinyCheckpoint(model, 1, { loss: 'mse' });
  const become = async (from: string, name: string, over: Partial<ServeOptions> = {}): Promise<Running> => {
    const running = await start(from, join(dir, `${name} state`), { out: join(dir, name), ...over });
    await send(running.url, 0, 3);
    await caughtUp(running.url);
    return running;
  };
  for (const [from, name] of [
    ['model', 'once'],
    ['once', 'twice'],
  ] as const) {
    const running = await become(join(dir, from), name);
    const { metrics } = await running.stop();
    assert.equal(metrics.learned, 0, 'none of the events has a value');
    assert.doesNotMatch(running.lines.join('\n'), /teaches it to rank/);
  }
  const ranked = await become(model, 'ranked', { learning: learningSchema.parse({ loss: 'softmax' }) });
  assert.equal((await ranked.stop()).metrics.learned, 3);
  assert.match(
    ranked.lines.join('\n'),
    /warn: .*foretell values.*`learning.loss: softmax` teaches it to rank/,
  );
});

test('an alert reaches the webhook of the settings, with the ids of the events', async (t) => {
  const dir = await temporary(t);
  const model = join(dir, 'model');
  await writeTinyCheckpoint(model, 1, { loss: 'mse' });
  const bodies: string[] = [];
  const receiver = createHttpServer((request, response) => {
    request.on('data', (chunk: Buffer) => bodies.push(chunk.toString()));
    request.on('end', () => response.end());
  }).listen(0, '127.0.0.1');
  t.after(() => {
    receiver.closeAllConnections();
    receiver.close();
  });
  await once(receiver, 'listening');
  const { port } = receiver.address() as AddressInfo;
  const running = await start(model, join(dir, 'state'), {
    learning: learningSchema.parse({ loss: 'mse', batch: 1 }),
    guard: guardSchema.parse({ updates: { refusals: 1 } }),
    alerts: alertsSchema.parse({ webhook: `http://127.0.0.1:${port}/secret` }),
  });
  const absurd = { id: 'absurd', user: 'a', item: 'i1', behaviour: 'view', value: 1e30 };
  const headers = { 'content-type': 'application/json' };
  const sent = async (events: object): Promise<void> => {
    const body = JSON.stringify(events);
    const { status } = await fetch(`${running.url}/v1/events`, { method: 'POST', headers, body });
    assert.equal(status, 200);
  };
  // What it is compared with.
  await sent(Array.from({ length: 25 }, (_, n) => ({ ...absurd, id: `usual${n}`, value: 3 })));
  await caughtUp(running.url);
  await sent(absurd);
  while (bodies.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const { alert, text } = JSON.parse(bodies.join(''));
  assert.deepEqual([alert.kind, alert.events.at(-1)], ['updates', 'absurd']);
  assert.match(text, /^recsys: updates were refused, 1 in a row: gradient not finite$/);
  await running.stop();
  assert(!running.lines.join('\n').includes('secret'));
});
