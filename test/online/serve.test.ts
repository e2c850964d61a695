import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { before, test } from 'node:test';
import type { BackendInfo } from '../../src/compute/backend.js';
import { selectBackend } from '../../src/compute/select.js';
import { RecsysError } from '../../src/errors.js';
import { guardSchema } from '../../src/online/guard/schema.js';
import { alertsSchema } from '../../src/online/guard/webhook.js';
import { listsSchema } from '../../src/online/lists/schema.js';
import { learningSchema, qualitySchema, requestSchema, retentionSchema } from '../../src/online/schema.js';
import { type ServeOptions, serve } from '../../src/online/serve.js';
import { RecommenderService } from '../../src/online/service.js';
import { readCheckpoint } from '../../src/storage/checkpoint.js';
import { decodeSafetensors } from '../../src/storage/safetensors.js';
import { writeTinyCheckpoint } from './checkpoint-fixture.js';
import { recordingContext, temporary } from './fixtures.js';

let backend: BackendInfo;
before(async () => {
  backend = await selectBackend('cpu');
});

interface Running {
  readonly url: string;
  readonly lines: string[];
  stop(): ReturnType<typeof serve>;
}

async function start(model: string, state: string, over: Partial<ServeOptions> = {}): Promise<Running> {
  const abort = new AbortController();
  const context = recordingContext(abort.signal);
  const checkpoint = await readCheckpoint(model);
  return new Promise((resolve, reject) => {
    const done = serve(
      {
        checkpoint,
        adapters: new Map(),
        budget: {},
        questions: undefined,
        data: undefined,
        dataPart: 'test',
        state,
        host: '127.0.0.1',
        port: 0,
        seed: 7,
        durability: 'always',
        syncInterval: 100,
        learning: learningSchema.parse({ learningRate: 0.1 }),
        retention: retentionSchema.parse({}),
        requests: requestSchema.parse({}),
        quality: qualitySchema.parse({}),
        lists: listsSchema.parse({}),
        guard: guardSchema.parse({}),
        alerts: alertsSchema.parse({}),
        backend,
        config: {},
        out: undefined,
        force: false,
        ready: async ({ url }) =>
          resolve({
            url,
            lines: context.lines,
            stop() {
              abort.abort();
              return done;
            },
          }),
        ...over,
      },
      context,
    );
    done.catch(reject);
  });
}

async function send(url: string, from: number, count: number): Promise<void> {
  const events = Array.from({ length: count }, (_, i) => ({
    id: from + i,
    user: `user${(from + i) % 3}`,
    item: `i${(((from + i) * 11) % 40) + 1}`,
    behaviour: 'view',
  }));
  const reply = await fetch(`${url}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(events),
  });
  assert.equal(reply.status, 200, await reply.text());
}

/** The reply without what names the request; `exactly` as bytes. */
async function lists(url: string): Promise<string> {
  const bodies: string[] = [];
  for (const user of ['user0', 'user1', 'u3', 'nobody']) {
    const text = await (await fetch(`${url}/v1/recommendations?user=${user}&k=20`)).text();
    bodies.push(text.replace(/"requestId":"[^"]*"/, ''));
  }
  return bodies.join('\n');
}

async function caughtUp(url: string): Promise<void> {
  for (;;) {
    const text = await (await fetch(`${url}/metrics`)).text();
    if (/recsys_learner_lag_events 0\n/.test(text)) return;
  }
}

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
    guard: guardSchema.parse({ updates: { refusals: 1 } }),
    alerts: alertsSchema.parse({ webhook: `http://127.0.0.1:${port}/secret` }),
  });
  const absurd = { id: 'absurd', user: 'a', item: 'i1', behaviour: 'view', value: 1e300 };
  const headers = { 'content-type': 'application/json' };
  await fetch(`${running.url}/v1/events`, { method: 'POST', headers, body: JSON.stringify(absurd) });
  while (bodies.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const { alert, text } = JSON.parse(bodies.join(''));
  assert.deepEqual([alert.kind, alert.events], ['updates', ['absurd']]);
  assert.match(text, /^recsys: updates were refused, 1 in a row: loss not finite$/);
  await running.stop();
  assert(!running.lines.join('\n').includes('secret'));
});
