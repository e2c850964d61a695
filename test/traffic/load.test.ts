import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '../../src/client/index.js';
import { Random } from '../../src/random.js';
import { drive } from '../../src/traffic/drive.js';
import { loadTest, routeOf } from '../../src/traffic/load.js';
import { servicePopulation } from '../../src/traffic/population.js';
import { probe } from '../../src/traffic/probe.js';
import { loadTestSchema } from '../../src/traffic/schema.js';
import { learnerState } from '../../src/traffic/scrape.js';
import { clientOf } from '../../src/traffic/service.js';
import { Tally } from '../../src/traffic/tally.js';
import { misbehaving, refused } from '../client/misbehaving.js';
import { catalogue, recordingContext, startServer } from '../online/fixtures.js';

const signal = new AbortController().signal;
const now = () => performance.now();

test('a closed loop has as many pieces of work under way as workers, and begins none after the end', async () => {
  let [underWay, most, done] = [0, 0, 0];
  const from = now();
  const { notBegun } = await drive({ workers: 3, from, until: from + 100, now, signal }, async (_, since) => {
    assert(since >= from && since < from + 100);
    most = Math.max(most, ++underWay);
    await sleep(10);
    underWay--;
    done++;
  });
  assert.deepEqual([most, notBegun], [3, 0]);
  assert(done >= 9 && done <= 33, String(done));
});

test('an open loop: what waits for a service that stalls counts from its moment, and what is never begun is told', async () => {
  const from = now();
  const times: number[] = [];
  const { notBegun } = await drive(
    { workers: 1, rate: 100, from, until: from + 400, now, signal },
    async (index, since) => {
      if (index === 0) await sleep(200);
      times.push(now() - since);
    },
  );
  assert.equal(times.length + notBegun, 40);
  // Twenty moments passed while the first was waited for: the second counts from its own, 190 ms before.
  assert(times[1]! > 170 && times[10]! > 80 && times[1]! > times[10]!, times.slice(0, 12).join());
  assert(times.at(-1)! < 50, 'it has caught up');
  const slow = await drive({ workers: 1, rate: 100, from: now(), until: now() + 100, now, signal }, () =>
    sleep(60),
  );
  assert(slow.notBegun >= 6, String(slow.notBegun));
});

test('an open loop without an end ends with its signal, after the work under way', {
  timeout: 5000,
}, async () => {
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 50);
  let [begun, done] = [0, 0];
  const endless = {
    workers: 2,
    rate: 100,
    from: now(),
    until: Number.POSITIVE_INFINITY,
    now,
    signal: abort.signal,
  };
  const { notBegun } = await drive(endless, async () => {
    begun++;
    await sleep(30);
    done++;
  });
  assert(begun >= 2 && begun === done);
  assert.equal(notBegun, 0);
});

test('what is counted: by route and status, after the warm-up, errors by code', async () => {
  let at = 0;
  const tally = new Tally(() => at);
  const answer = async (since: number, until: number, error?: ServiceError) => {
    await tally.time('GET /x', since, since >= 100, async () => {
      at = until;
      if (error) throw error;
    });
  };
  const busy = new ServiceError('busy', { status: 503, code: 'LEARNER_BEHIND', remedy: '' });
  await answer(50, 60);
  await answer(99, 150, busy);
  await answer(100, 104);
  await answer(110, 116);
  await answer(120, 121, busy);
  const [ok, failed, ...rest] = tally.routes(2);
  assert.deepEqual(
    [ok!.route, ok!.status, ok!.count, ok!.perSecond, ok!.mean, ok!.max],
    ['GET /x', 200, 2, 1, 5, 6],
  );
  assert.deepEqual([failed!.status, failed!.count, failed!.max, rest.length], [503, 1, 1, 0]);
  assert.deepEqual(tally.errors, { LEARNER_BEHIND: 1 });
  await assert.rejects(
    tally.time('GET /x', 130, true, () => Promise.reject(new TypeError('a bug'))),
    TypeError,
  );
});

test('routes by their shares', () => {
  const mix = { get: 3, post: 1, state: 0, elicitation: 0 };
  assert.deepEqual(
    [0, 0.74, 0.75, 0.999].map((at) => routeOf(mix, at)),
    ['get', 'get', 'post', 'post'],
  );
});

test('the learner as /metrics shows it', () => {
  const text =
    'recsys_learner_lag_events 7\nrecsys_events_outcome_total{outcome="learned",reason=""} 5\nrecsys_events_outcome_total{outcome="skipped",reason="unknown item"} 3\nrecsys_events_outcome_total{outcome="skipped",reason="weight 0"} 2\n';
  assert.deepEqual(learnerState(text), { lag: 7, done: 7 });
  assert.deepEqual(learnerState('nothing'), { lag: Number.NaN, done: 0 });
});

test('a service under load: what the report says is what the service counted', async (t) => {
  const { app, service, metrics } = await startServer(t, { catalogue: catalogue(3, 20, ['view']) });
  const to = await app.listen({ host: '127.0.0.1', port: 0 });
  const config = loadTestSchema.parse({
    ...{ to, warmup: 0, duration: 1, connections: 2, events: 40, batch: 2 },
    mix: { get: 2, post: 1 },
  });
  const client = () => clientOf({ ...config, connections: 4 });
  const clients = { requests: client(), events: client(), probes: client() };
  t.after(() => {
    for (const one of Object.values(clients)) one.close();
  });
  const population = await servicePopulation(clients.probes, ['u1', 'u2'], undefined);
  const random = Random.of(1);
  assert(['u1', 'u2'].includes(population.user(random)));
  assert.match(population.event(random).item, /^i\d+$/);
  const { result } = await loadTest(clients, population, config, 'run', recordingContext());
  await service.idle();
  const of = (route: string) => result.routes.find((row) => row.route === route)!;
  assert.deepEqual(
    result.routes.map(({ route, status }) => [route, status]),
    [
      ['GET /v1/recommendations', 200],
      ['POST /v1/events', 200],
      ['POST /v1/recommendations', 200],
    ],
  );
  const [get, post] = [of('GET /v1/recommendations').count, of('POST /v1/recommendations').count];
  assert(post > 0 && get > post);
  assert(Math.abs(result.requestsPerSecond * result.seconds - (get + post)) < 1e-6);
  assert.equal(result.notBegun, 0, 'a closed loop is never late');
  const { accepted, changed } = result.events!;
  assert.equal(accepted, of('POST /v1/events').count * 2);
  assert.equal(accepted + result.events!.notBegun, 40);
  assert(changed.list.count >= 1 && changed.unseen === 0, JSON.stringify(changed));
  assert([0, 1].includes(changed.list.count - changed.model.count));
  const text = await metrics.registry.metrics();
  const received = Number(/recsys_events_received_total\{result="accepted"\} (\d+)/.exec(text)![1]);
  // A probe that the end cut off may have been taken.
  assert(
    [0, 1].includes(received - accepted - changed.list.count),
    `${received} ${accepted} ${changed.list.count}`,
  );
});

test('a service that refuses is counted and not asked again', async (t) => {
  const { url, seen } = await misbehaving(t, refused(503, 'NOT_READY'));
  const config = loadTestSchema.parse({ to: url, warmup: 0, duration: 0.2, connections: 1, rate: 50 });
  const one = clientOf(config);
  t.after(() => one.close());
  const population = { user: () => 'u', event: () => ({ user: 'u', item: 'i' }) };
  const clients = { requests: one, events: one, probes: one };
  const { result } = await loadTest(clients, population, config, 'run', recordingContext());
  assert.deepEqual([result.requestsPerSecond, result.errors.NOT_READY], [0, seen.requests.length]);
  assert.deepEqual([result.routes.length, result.routes[0]!.status], [1, 503]);
});

test('a probe of a service that is not there ends with the signal', async () => {
  const client = clientOf({ to: 'http://127.0.0.1:1', connections: 1, timeout: 1 });
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 300);
  const population = { user: () => 'u', event: () => ({ user: 'u', item: 'i' }) };
  const found = await probe(client, population, { name: 'p', random: Random.of(1), signal: abort.signal });
  assert(found.unseen >= 1);
  assert.equal(found.list.count, 0);
});
