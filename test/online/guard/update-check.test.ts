import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { selectBackend } from '../../../src/compute/select.js';
import { REFUSALS, UpdateCheck } from '../../../src/online/guard/update-check.js';
import { writeTinyCheckpoint } from '../checkpoint-fixture.js';
import { CountingLearner, catalogue, recordingContext, startService, temporary } from '../fixtures.js';
import { bitsOf, events, killed, startGuarded } from './fixtures.js';

before(async () => {
  await selectBackend('cpu');
});

test('numbers that are none, and gradients many times the median, are refused; the median is not moved by them', () => {
  const check = new UpdateCheck(10);
  assert.equal(check.judge({ loss: Number.NaN, gradientNorm: 1 }), REFUSALS.loss);
  assert.equal(check.judge({ loss: 1, gradientNorm: Number.POSITIVE_INFINITY }), REFUSALS.gradient);
  assert.equal(check.refused, 2);
  assert.equal(check.judge({ loss: 1, gradientNorm: 1e9 }), undefined, 'nothing to compare with yet');
  for (let n = 0; n < 20; n++) assert.equal(check.judge({ loss: 1, gradientNorm: 1 + (n % 3) }), undefined);
  assert.equal(check.refused, 0);
  // The median is 2.
  assert.equal(check.judge({ loss: 1, gradientNorm: 20 }), undefined);
  for (let n = 0; n < 500; n++)
    assert.equal(check.judge({ loss: 1, gradientNorm: 20.1 + n }), REFUSALS.large);
  assert.equal(check.refused, 500);
  assert.equal(new UpdateCheck(0).judge({ loss: 1, gradientNorm: 1e30 }), undefined);
});

test('what a check judges goes on from a snapshot as if it had never stopped', () => {
  const updates = fc.array(fc.record({ loss: fc.float(), gradientNorm: fc.float({ min: 0, max: 1e6 }) }), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(updates, updates, (first, then) => {
      const straight = new UpdateCheck(3);
      for (const one of first) straight.judge(one);
      const copy = new UpdateCheck(3);
      copy.load(JSON.parse(JSON.stringify(straight.snapshot())));
      for (const one of then) assert.equal(copy.judge(one), straight.judge(one));
    }),
  );
});

test('events of absurd values teach nothing, are recorded, raise one alert, and a replay refuses them again', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model, 1, { loss: 'mse' });
  const over = { learning: { loss: 'mse', batch: 1 }, guard: { updates: { refusals: 3 } } };
  const running = await startGuarded(model, state, over);
  const { service } = running;
  await service.accept(events(0, 30, { value: 3 }));
  await service.idle();
  const learned = (await service.snapshot()).learner;
  await service.accept(events(30, 2, { value: 1e300 }));
  await service.accept(events(32, 2, { value: 1e9 }));
  await service.idle();
  assert.deepEqual((await service.snapshot()).learner, learned);
  const [alert, ...others] = service.guard.alerts.list;
  assert.deepEqual(others, []);
  assert.equal(alert!.kind, 'updates');
  assert.deepEqual(alert!.events.slice(-1), ['e33']);
  await service.accept(events(40, 5, { value: 3 }));
  const expected = await bitsOf(running);
  assert.equal(JSON.parse(expected.facts!).learned, 35);
  const copy = await killed(state, join(dir, 'killed'));
  await service.close();
  const again = await startGuarded(model, copy, over);
  assert.deepEqual(await bitsOf(again), expected);
  await again.service.close();
});

test('one event of an absurd value does not keep those from being learned that share its update', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model, 1, { loss: 'mse' });
  const over = { learning: { loss: 'mse', batch: 16 } };
  const running = await startGuarded(model, state, over);
  const { service } = running;
  for (let n = 0; n < 30; n++) {
    await service.accept(events(n, 1, { value: 3 }));
    await service.idle();
  }
  await service.accept([
    ...events(100, 7, { value: 4 }),
    ...events(107, 1, { value: 1e30 }),
    ...events(108, 8, { value: 4 }),
  ]);
  await service.idle();
  const expected = await bitsOf(running);
  assert.equal(JSON.parse(expected.facts!).learned, 45);
  const copy = await killed(state, join(dir, 'killed'));
  await service.close();
  const again = await startGuarded(model, copy, over);
  assert.deepEqual(await bitsOf(again), expected);
  await again.service.close();
});

test('learning that fails pauses by a record, and goes back; an operator resumes it', async (t) => {
  const dir = await temporary(t);
  const context = recordingContext();
  const learner = new CountingLearner(catalogue(3, 20));
  const { learn } = learner;
  learner.learn = async () => {
    throw new Error('a bug');
  };
  const { service } = await startService(dir, { learner, context });
  await service.accept(events(0, 2));
  await service.idle();
  assert.equal(service.learningState.paused?.reason, 'learning failed');
  assert(
    context.lines.some((line) => line.includes('there is no good snapshot to go back to')),
    context.lines.join('\n'),
  );
  assert.deepEqual(service.guard.alerts.list[0]!.events, ['e0', 'e1']);
  learner.learn = learn;
  await service.guard.resume();
  await service.accept(events(2, 2, { item: 'i3' }));
  await service.idle();
  assert.deepEqual(learner.updates.flat(), ['e2', 'e3']);
  await service.close();
});
