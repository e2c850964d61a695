import assert from 'node:assert/strict';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { selectBackend } from '../../../src/compute/select.js';
import type { OnlineEvent } from '../../../src/online/events.js';
import { Random } from '../../../src/random.js';
import { writeTinyCheckpoint } from '../checkpoint-fixture.js';
import { NOW, temporary } from '../fixtures.js';
import { bitsOf, type Guarded, killed, startGuarded } from './fixtures.js';

let model: string;
before(async () => {
  await selectBackend('cpu');
  model = await trained(await mkdtemp(join(tmpdir(), 'recsys-guard-')));
});
after(() => rm(dirname(model), { recursive: true, force: true }));

const ITEMS = 40;
/** Users go round the catalogue: after item n comes n + 1. */
const honest = (n: number): OnlineEvent => {
  const user = n % 25;
  return {
    id: `honest ${n}`,
    user: `honest ${user}`,
    item: `i${((user * 7 + Math.floor(n / 25)) % ITEMS) + 1}`,
    behaviour: 'view',
    time: NOW + n,
  };
};
const poison = (n: number, random: Random): OnlineEvent => ({
  id: `poison ${n}`,
  user: `invented ${n % 60}`,
  item: `i${1 + random.int(ITEMS)}`,
  behaviour: 'view',
  time: NOW + n,
});

async function feed({ service }: Guarded, events: readonly OnlineEvent[], size = 10): Promise<void> {
  for (let at = 0; at < events.length; at += size) {
    await service.accept(events.slice(at, at + size));
    await service.idle();
  }
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

/** A checkpoint that has learned the round. */
async function trained(dir: string): Promise<string> {
  await writeTinyCheckpoint(join(dir, 'blank'));
  const running = await startGuarded(join(dir, 'blank'), join(dir, 'training'), {
    learning: { batch: 10, user: { rate: 0 } },
    quality: { share: 0 },
  });
  await feed(running, range(0, 6000).map(honest), 100);
  await running.snapshots.take();
  await running.service.close();
  await rename(join(dir, 'training', 'snapshot'), join(dir, 'trained'));
  return join(dir, 'trained');
}

/** Feeds honest and invented events in turn until learning pauses, or 300 of each have come. */
async function attack(running: Guarded): Promise<void> {
  const random = Random.of(1, 'poison');
  for (let n = 0; n < 300 && !running.service.learningState.paused; n += 5) {
    const invented = range(n, 5).map((at) => poison(at, random));
    await feed(running, [...range(6000 + n, 5).map(honest), ...invented]);
  }
}

const answers = ({ service }: Guarded) =>
  Promise.all(
    range(1, ITEMS).map(
      async (n) => (await service.recommend({ history: [`i${n}`], includeSeen: false })).items,
    ),
  );

test('poisoned events: learning pauses, goes back, and answers as before; the alert names them', async (t) => {
  const dir = await temporary(t);
  const over = {
    learning: { learningRate: 3, batch: 10, optimizer: 'sgd', user: { rate: 0 } },
    quality: { includeSeen: true },
    guard: { comparison: { minimumEvents: 100 } },
  };
  const running = await startGuarded(model, join(dir, 'state'), over);
  const { service, snapshots } = running;
  await snapshots.take();
  const before = await answers(running);
  const right = before.filter((items, n) => items[0]!.item === `i${((n + 1) % ITEMS) + 1}`).length;
  assert(right > 0.8 * ITEMS, `${right} of ${ITEMS}: the pattern was not learned`);
  await attack(running);
  while (service.learningState.rollbacks === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(service.learningState.paused?.reason, 'worse than the frozen model');
  assert.deepEqual(await answers(running), before);
  const alert = service.guard.alerts.list.find(({ kind }) => kind === 'quality');
  assert(alert!.events.includes('poison 0') && alert!.events.includes('honest 6000'), `${alert!.events}`);
  assert(alert!.count <= 200, `${alert!.count} events until it was found`);
  // Paused, it takes no harm; its users' histories go on.
  const random = Random.of(2, 'poison');
  await feed(
    running,
    range(1000, 50).map((n) => poison(n, random)),
    25,
  );
  assert.deepEqual(await answers(running), before);
  const spoiled = service.guard.good;
  await snapshots.take();
  assert.equal(service.guard.good, spoiled, 'a snapshot of now is none to go back to');
  const metrics = await running.metrics.registry.metrics();
  for (const line of [
    'recsys_guard_state{state="paused"} 1',
    'recsys_guard_state{state="learning"} 0',
    'recsys_guard_alerts_total{kind="quality"} 1',
    'recsys_guard_good_position 0',
    'recsys_guard_rollbacks 1',
    'recsys_guard_budget_events_total 0',
    'recsys_learner_paused 1',
  ])
    assert(metrics.includes(`${line}\n`), line);
  assert.match(metrics, /recsys_guard_verdict\{state="\w+"\} 1/);
  await service.guard.resume();
  await feed(running, range(7000, 20).map(honest), 10);
  const expected = await bitsOf(running);
  const copy = await killed(
    join(dir, 'state'),
    join(dir, 'killed'),
    (path) => !path.includes('snapshot') && !path.includes('good'),
  );
  await service.close();
  const again = await startGuarded(model, copy, over);
  assert.deepEqual(await bitsOf(again), expected, 'the verdict is in the journal');
  await again.service.close();
});

test('guard.action: pause stops learning, alert says so alone', async (t) => {
  const dir = await temporary(t);
  for (const action of ['pause', 'alert'] as const) {
    const running = await startGuarded(model, join(dir, action), {
      learning: { learningRate: 3, batch: 10, optimizer: 'sgd', user: { rate: 0 } },
      quality: { includeSeen: true },
      guard: { action, comparison: { minimumEvents: 100 } },
    });
    await running.snapshots.take();
    const before = await answers(running);
    await attack(running);
    await running.service.idle();
    const { learningState, guard } = running.service;
    assert.deepEqual([learningState.paused !== undefined, learningState.rollbacks], [action === 'pause', 0]);
    assert.notDeepEqual(await answers(running), before);
    assert.equal(guard.alerts.list.filter(({ kind }) => kind === 'quality').length, 1);
    assert.equal(guard.fine, false, 'no snapshot of this is a good one');
    await running.service.close();
  }
});
