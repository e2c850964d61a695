import assert from 'node:assert/strict';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RecsysError } from '../../src/errors.js';
import type { OnlineEvent } from '../../src/online/events.js';
import type { OutcomeRecord } from '../../src/online/records.js';
import type { ReplyError } from '../../src/online/replies.js';
import { UserHistories } from '../../src/online/users.js';
import { decodeQueue, encodeQueue, queueFacts } from '../../src/online/waiting.js';
import { decodeSafetensors, encodeSafetensors } from '../../src/storage/safetensors.js';
import { FaultyFiles } from './faulty-files.js';
import { CountingLearner, catalogue, NOW, recordingContext, startService, temporary } from './fixtures.js';

function stream(n: number, from = 0): OnlineEvent[] {
  return Array.from({ length: n }, (_, i) => {
    const at = from + i;
    return {
      id: `e${at}`,
      user: `user${at % 5}`,
      item: `i${((at * 7) % 20) + 1}`,
      behaviour: at % 3 ? 'view' : 'buy',
      time: NOW + at,
    };
  });
}

const updatesOf = (learner: object): string[][] => (learner as CountingLearner).updates;

test('after a kill, a start on the journal gives the same updates in the same batches, and the same lists', async (t) => {
  const dir = await temporary(t);
  const { service, learner } = await startService(join(dir, 'a'));
  for (const size of [1, 3, 40, 1, 7]) {
    const already = updatesOf(learner).flat().length;
    await service.accept(stream(size, already));
    await service.idle();
  }
  // A copy of the files while the first service runs is what a killed process leaves.
  await cp(join(dir, 'a'), join(dir, 'b'), { recursive: true });
  const again = await startService(join(dir, 'b'));
  await again.service.idle();
  assert.deepEqual(updatesOf(again.learner), updatesOf(learner));
  for (const user of ['user0', 'user3', 'nobody']) {
    const request = { user, includeSeen: false };
    assert.deepEqual(await again.service.recommend(request), await service.recommend(request));
  }
  const [first] = await again.service.accept(stream(1));
  assert.deepEqual(first, { id: 'e0', status: 'duplicate', seq: 1 });
  await service.close();
  await again.service.close();
});

test('events acknowledged but not learned when the process died are learned after the start', async (t) => {
  const dir = await temporary(t);
  const known = catalogue(3, 20);
  const stuck = new CountingLearner(known);
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  stuck.learn = async (examples) =>
    gate.then(() => examples.map(() => ({ status: 'skipped', reason: 'test' }) as const));
  const { service } = await startService(join(dir, 'a'), { learner: stuck, learning: { batch: 2 } });
  await service.accept(stream(5));
  await new Promise((resolve) => setImmediate(resolve));
  await cp(join(dir, 'a'), join(dir, 'b'), { recursive: true });
  const again = await startService(join(dir, 'b'), { learning: { batch: 2 } });
  await again.service.idle();
  assert.deepEqual(updatesOf(again.learner).flat(), ['e0', 'e1', 'e2', 'e3', 'e4']);
  await again.service.close();
  open();
  await service.close();
});

test('a snapshot with the journal after it equals the journal from the start', async (t) => {
  const dir = await temporary(t);
  const { service, learner } = await startService(dir);
  await service.accept(stream(20));
  await service.drain();
  const { state } = await service.snapshot();
  assert.equal(state.queue.learned, 20);
  const from = { journalId: service.journalId, state };
  await service.close();

  // The counting learner goes on as it is: it stands for parameters restored from the snapshot.
  const second = await startService(dir, { learner, from });
  const updates = updatesOf(learner).length;
  await second.service.idle();
  assert.equal(updatesOf(learner).length, updates, 'nothing is learned twice');
  assert.equal(
    (await second.service.accept(stream(1)))[0]!.status,
    'duplicate',
    'ids before the snapshot are known',
  );
  await second.service.accept(stream(10, 20));
  await second.service.idle();
  const request = { user: 'user2', includeSeen: false };
  const expected = await second.service.recommend(request);
  assert.equal(expected.modelVersion, 'base+30');
  await second.service.close();

  const whole = await startService(dir);
  await whole.service.idle();
  assert.deepEqual(await whole.service.recommend(request), expected);
  await whole.service.close();
});

test('a snapshot taken while events wait, with the journal after it, equals the journal from the start', async (t) => {
  const dir = await temporary(t);
  const { service, learner } = await startService(dir, { learning: { batch: 2 } });
  const snapshots: Awaited<ReturnType<typeof service.snapshot>>[] = [];
  for (const size of [1, 9, 14]) {
    await service.accept(stream(size, size * 100));
    // An event the model does not know waits as well.
    await service.accept([{ ...stream(1, size * 100 + 50)[0]!, item: 'unheard of' }]);
    snapshots.push(await service.snapshot());
  }
  assert(
    snapshots.some(({ state }) => state.queue.waiting.length > 2 && state.queue.unrecorded.length > 0),
    'some of them were taken in the middle',
  );
  await service.idle();
  await service.accept(stream(5, 3000));
  await service.drain();
  const request = { user: 'user2', includeSeen: false };
  const expected = await service.recommend(request);
  const { learned } = (await service.snapshot()).state.queue;
  await service.close();
  for (const { state, learner: parameters } of snapshots) {
    const coded = encodeQueue(state.queue);
    const queue = decodeQueue(JSON.parse(JSON.stringify(coded.facts)), coded.tensors);
    assert.deepEqual(queue, state.queue);
    const context = recordingContext();
    const from = { journalId: service.journalId, state: { ...state, queue } };
    const again = await startService(dir, {
      learner: new CountingLearner(catalogue(3, 20), parameters),
      learning: { batch: 2 },
      from,
      context,
    });
    await again.service.idle();
    const { state: end, learner: reached } = await again.service.snapshot();
    assert.equal(end.queue.learned, learned);
    assert.deepEqual(reached, await (learner as CountingLearner).snapshot());
    assert.deepEqual((await again.service.recommend(request)).items, expected.items);
    for (const one of [...stream(1, 100), ...stream(1, 905), ...stream(1, 3004)])
      assert.equal((await again.service.accept([one]))[0]!.status, 'duplicate', one.id);
    assert.deepEqual(
      context.lines.filter((line) => line.startsWith('warn')),
      [],
    );
    await again.service.close();
  }
});

test('every event is answered with its number, also when more come at once than ids are remembered', async () => {
  const files = new FaultyFiles();
  const made = { files, retention: { eventIds: 10_000 }, learning: { enabled: false, batch: 256 } };
  const { service } = await startService('/state/journal', made);
  const requests = Array.from({ length: 12 }, (_, n) => stream(1000, 1000 * n));
  const twice = [...requests.slice(0, 3), ...requests];
  const receipts = (await Promise.all(twice.map((events) => service.accept(events)))).flat();
  assert.deepEqual(
    receipts.map(({ id, status, seq }) => [id, status, seq]),
    twice.flatMap((events, n) =>
      events.map(({ id }) => [id, n >= 3 && n < 6 ? 'duplicate' : 'accepted', 1 + Number(id.slice(1))]),
    ),
  );
  await service.close();
});

test('a snapshot is taken while events come that are not yet on the disk', async () => {
  const files = new FaultyFiles();
  const { service } = await startService('/state/journal', { files, durability: 'none' });
  let taken = false;
  const sending = (async () => {
    for (let n = 0; !taken; n++) await service.accept(stream(1, n));
  })();
  for (let n = 0; n < 5; n++) await service.snapshot();
  taken = true;
  await sending;
  await service.accept(stream(1, 9000));
  await service.idle();
  files.failingSyncs = 1;
  await assert.rejects(service.snapshot(), { code: 'DISK' });
  await service.close();
});

test('events that wait keep what their users had done, whatever columns that has', () => {
  const text = fc.string({ maxLength: 5 });
  const example = (times: boolean, values: boolean) =>
    fc
      .tuple(
        fc.array(fc.tuple(fc.nat(99), fc.nat(3), fc.double({ noNaN: true }), fc.float())),
        text,
        fc.nat(9),
      )
      .map(([rows, word, n]) => ({
        seq: n,
        event: {
          id: word,
          user: word,
          item: word,
          behaviour: 'view',
          time: n,
          ...(n % 2 ? { value: n / 3 } : {}),
        },
        query: {
          user: n,
          items: Int32Array.from(rows, ([item]) => item),
          behaviours: Uint8Array.from(rows, ([, behaviour]) => behaviour),
          ...(times ? { times: Float64Array.from(rows, ([, , time]) => time) } : {}),
          ...(values ? { values: Float32Array.from(rows, ([, , , value]) => value) } : {}),
          ...(n % 3 ? { asks: n % 3 } : {}),
        },
        item: n,
        behaviour: 0,
        weight: n / 7,
        known: n + 1,
        ...(n % 4 ? {} : { begins: true as const }),
      }));
  const plain = { noNullPrototype: true };
  const skipped = fc.record({ seq: fc.nat(), reason: text, user: text }, plain);
  const queues = fc.tuple(fc.boolean(), fc.boolean()).chain(([times, values]) =>
    fc.record(
      {
        learned: fc.nat(),
        waiting: fc.array(fc.oneof(example(times, values), skipped), { maxLength: 6 }),
        unrecorded: fc.constantFrom<OutcomeRecord[]>(
          [],
          [{ type: 'outcome', through: 3, skipped: { x: [1] } }],
        ),
        begun: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 3 }),
      },
      plain,
    ),
  );
  fc.assert(
    fc.property(queues, (queue) => {
      const { facts, tensors } = encodeQueue(queue);
      const read = decodeSafetensors(encodeSafetensors(tensors), 'queue');
      assert.deepEqual(decodeQueue(queueFacts.parse(JSON.parse(JSON.stringify(facts))), read), queue);
    }),
  );
});

test('a snapshot ahead of its journal, a journal that lost its beginning, and unknown records are refused', async (t) => {
  const dir = await temporary(t);
  const { service } = await startService(join(dir, 'a'), { retention: { segmentBytes: 4096, segments: 1 } });
  for (let n = 0; n < 40; n++) await service.accept(stream(10, 10 * n));
  await service.drain();
  const from = { journalId: service.journalId, state: (await service.snapshot()).state };
  assert((await service.prune(from.state.position)) > 0);
  await service.close();
  await assert.rejects(startService(join(dir, 'a')), /the journal begins with record/);
  const ahead = { ...from, state: { ...from.state, position: 99_999 } };
  await assert.rejects(startService(join(dir, 'a'), { from: ahead }), {
    message: /the journal ends at/,
    remedy: /remove `snapshot`/,
  });
  const fine = await startService(join(dir, 'a'), { from });
  await fine.service.close();

  const { Journal } = await import('../../src/online/journal.js');
  const journal = await Journal.open(join(dir, 'b'), { segmentBytes: 4096 });
  await journal.append([{ type: 'rollback' }]);
  await journal.close();
  await assert.rejects(startService(join(dir, 'b')), (error: RecsysError) => {
    return error.code === 'JOURNAL_DAMAGED' && error.message.includes('record 1');
  });
});

test('a torn tail is cut with a warning', async (t) => {
  const dir = await temporary(t);
  const { service } = await startService(dir);
  await service.accept(stream(3));
  await service.close();
  const { appendFile } = await import('node:fs/promises');
  await appendFile(join(dir, 'journal-000000000001.log'), 'RSJ1 half a frame');
  const context = recordingContext();
  const again = await startService(dir, { context });
  assert(
    context.lines.some((line) => /cut 17 bytes at offset \d+/.test(line)),
    context.lines.join('\n'),
  );
  assert.equal((await again.service.accept(stream(3)))[2]!.status, 'duplicate');
  await again.service.close();
});

test('a full disk: events are answered with 507 and recommendations go on, until there is room', async () => {
  const files = new FaultyFiles();
  const context = recordingContext();
  const { service, metrics } = await startService('/state/journal', { files, context });
  const writable = async () =>
    (await metrics.registry.getSingleMetricAsString('recsys_journal_writable')).at(-1);
  await service.accept(stream(2));
  await service.idle();
  // Half a frame fits.
  files.room = 40;
  for (let n = 0; n < 3; n++)
    await assert.rejects(service.accept(stream(2, 2)), (error: ReplyError) => error.status === 507);
  assert.equal((await service.recommend({ user: 'user0', includeSeen: false })).fallback, false);
  assert.equal(await writable(), '0');
  files.room = Number.POSITIVE_INFINITY;
  const receipts = await service.accept(stream(2, 2));
  assert.deepEqual(
    receipts.map(({ status }) => status),
    ['accepted', 'accepted'],
  );
  assert.equal(await writable(), '1');
  const said = context.lines.filter((line) => line.includes('the journal can'));
  assert.deepEqual(
    said.map((line) => line.split(':')[0]),
    ['warn', 'info'],
    'said once',
  );
  await service.close();
  const again = await startService('/state/journal', { files });
  assert.equal(
    (await again.service.accept(stream(4))).filter(({ status }) => status === 'duplicate').length,
    4,
  );
  await again.service.close();
});

test('a sync that fails acknowledges nothing, and nothing of it is found at the next start', async () => {
  const files = new FaultyFiles();
  const { service } = await startService('/state/journal', { files });
  await service.accept(stream(2));
  await service.idle();
  files.failingSyncs = 1;
  await assert.rejects(service.accept(stream(2, 2)), { code: 'STORAGE' });
  await service.close();
  const again = await startService('/state/journal', { files });
  assert.deepEqual(
    (await again.service.accept(stream(4))).map(({ status }) => status),
    ['duplicate', 'duplicate', 'accepted', 'accepted'],
  );
  await again.service.close();
});

test('histories keep the most recent events and come back as they were', () => {
  for (const [limit, timed] of [1, 2, 7, 100].flatMap((n) => [[n, false] as const, [n, true] as const])) {
    const histories = new UserHistories(catalogue(2, 50), limit, { times: timed });
    // To the millisecond, and beyond 2038.
    for (let n = 1; n <= 30; n++) histories.append(n % 2 ? 'u1' : 'else', n, n % 2, 3e12 + n);
    const odd = Array.from({ length: 15 }, (_, i) => 2 * i + 1).slice(-limit);
    assert.deepEqual(histories.query('u1'), {
      user: 1,
      items: Int32Array.from(odd),
      behaviours: new Uint8Array(odd.length).fill(1),
      ...(timed ? { times: Float64Array.from(odd, (n) => 3e12 + n) } : {}),
    });
    assert.equal(histories.query('else').user, 0);
    const copy = new UserHistories(catalogue(2, 50), limit, { times: timed });
    copy.append('u1', 9, 0, 1);
    copy.append('kept', 9, 0, 1);
    const { users, tensors } = histories.snapshot();
    assert.equal(tensors.has('history.times'), timed);
    copy.load({ users, tensors: decodeSafetensors(encodeSafetensors(new Map(tensors)), 'snapshot') });
    assert.deepEqual(copy.query('u1'), histories.query('u1'));
    assert.deepEqual(copy.query('else'), histories.query('else'));
    assert.deepEqual([...copy.query('kept').items], [9]);
  }
});
