import assert from 'node:assert/strict';
import { cp, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { RecsysClient } from '../../../src/client/index.js';
import { selectBackend } from '../../../src/compute/select.js';
import { explorationSchema } from '../../../src/online/exploration/schema.js';
import type { Impression } from '../../../src/online/impressions/record.js';
import { Journal } from '../../../src/online/journal.js';
import { eraseImpressions, eraseLists } from '../../../src/online/privacy/erased-impressions.js';
import { impressionsPath } from '../../../src/online/state-directory.js';
import { Random } from '../../../src/random.js';
import { writeTinyCheckpoint } from '../checkpoint-fixture.js';
import { FaultyFiles } from '../faulty-files.js';
import { CountingLearner, catalogue, startService, temporary } from '../fixtures.js';
import { startGuarded } from '../guard/fixtures.js';
import { caughtUp, start } from '../serve-fixture.js';
import { ANN, eventOf, filesWith, loggedIn, logOf } from './fixtures.js';

before(async () => {
  await selectBackend('cpu');
});

const exploration = explorationSchema.parse({ log: true });

const impression = (user: string, n: number): Omit<Impression, 'time'> => ({
  type: 'impression',
  requestId: `r${n}`,
  user,
  modelVersion: 'v',
  policy: 'none',
  items: [{ item: `i${n}`, propensity: 1 }],
  history: [{ item: 'i1', behaviour: 'view' }],
});

test('lists served are told page by page, and erased with the user; of others they stay', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const running = await start(model, state, { exploration });
  const client = new RecsysClient({ url: running.url, patience: 0 });
  t.after(() => client.close());
  await client.events([eventOf(ANN, 1), eventOf('bob', 2)]);
  await caughtUp(running.url);
  const asked: string[] = [];
  for (const user of [ANN, 'bob', ANN, 'stranger', ANN]) {
    const { requestId } = await client.recommendations(user, { k: 3 });
    if (user === ANN) asked.push(requestId);
  }
  await client.event({ ...eventOf(ANN, 3), requestId: asked[0] });
  await caughtUp(running.url);
  const known = await client.user(ANN);
  assert.deepEqual(
    known.impressions?.map(({ requestId }) => requestId),
    asked,
  );
  const [first] = known.impressions!;
  assert.deepEqual([first!.seq, first!.items.length, first!.policy], [1, 3, 'none']);
  assert.deepEqual(first!.history, [{ item: 'i12', behaviour: 'view' }]);
  assert.equal(known.nextImpressions, null);
  assert.equal(known.events.at(-1)!.requestId, asked[0]);
  assert.equal('impressions' in (await client.user(ANN, { after: 1 })), false);
  const paged: number[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const page = await client.userImpressions(ANN, { after, limit: 2 });
    assert(page.impressions.length <= 2);
    paged.push(...page.impressions.map(({ seq }) => seq));
    after = page.next;
  }
  assert.deepEqual(paged, [1, 3, 5]);
  assert.deepEqual((await client.userImpressions('nobody')).impressions, []);
  await assert.rejects(client.userImpressions(ANN, { limit: 1001 }), { code: 'REQUEST_INVALID' });

  const { requestId: _, ...erased } = await client.eraseUser(ANN);
  assert.deepEqual(erased, {
    ...{ user: ANN, erased: true, events: 2, impressions: 3, rebuilt: 'scheduled', residual: [] },
  });
  assert.deepEqual(await filesWith(state, ANN), []);
  assert.deepEqual(await loggedIn(impressionsPath(state)), ['erased', 'bob', 'erased', 'stranger', 'erased']);
  assert.deepEqual((await client.user(ANN)).impressions, []);
  // Who was only shown lists has taught nothing.
  const { events, impressions, rebuilt } = await client.eraseUser('stranger');
  assert.deepEqual([events, impressions], [0, 1]);
  assert.equal(rebuilt, 'scheduled', 'what ANN taught is still there');
  await client.recommendations(ANN);
  assert.equal((await client.user(ANN)).impressions!.length, 1);
  await running.stop();
  // The log is no longer written, and still there.
  const without = await start(model, state);
  const later = new RecsysClient({ url: without.url, patience: 0 });
  t.after(() => later.close());
  assert.equal((await later.user(ANN)).impressions!.length, 1);
  const last = await later.eraseUser(ANN);
  assert.deepEqual([last.impressions, last.rebuilt], [1, 'now']);
  assert.deepEqual(await filesWith(state, ANN), []);
  await without.stop();
});

test('a list that is scored while its user is erased is answered, and neither logged nor kept', async (t) => {
  const dir = await temporary(t);
  const known = catalogue(3, 20);
  const learner = new CountingLearner(known);
  const score = learner.score.bind(learner);
  let go = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  learner.score = async (queries) => {
    await held;
    return score(queries);
  };
  const impressions = await logOf(dir);
  t.after(() => impressions.close());
  const { service } = await startService(join(dir, 'journal'), {
    learner,
    catalogue: known,
    serving: { impressions },
    quality: { arms: false },
    learning: { negativesFrom: 'shown' },
  });
  t.after(() => service.close());
  const lists = [
    service.recommend({ user: 'u1', includeSeen: true }, { requestId: 'before' }),
    service.recommend({ user: 'u2', includeSeen: true }, { requestId: 'other' }),
  ];
  await service.users.forget('u1');
  lists.push(service.recommend({ user: 'u1', includeSeen: true }, { requestId: 'after' }));
  go();
  for (const { fallback, items } of await Promise.all(lists))
    assert.deepEqual([fallback, items.length], [false, 10]);
  assert.deepEqual((await loggedIn(impressionsPath(dir))).sort(), ['u1', 'u2']);
  const shown = (requestId: string) =>
    service.recommender.shown.with([{ ...eventOf('u1', 1), requestId }])[0]!.shown?.length;
  assert.deepEqual(['before', 'other', 'after'].map(shown), [undefined, 10, 10]);
  assert(service.recommender.lastLists.get('u1'));
  await service.users.forget('u1');
  assert.equal(service.recommender.lastLists.get('u1'), undefined);
  assert.equal(shown('after'), undefined);
});

test('lists whose writing has begun are found, and no segment is deleted while they are erased', async (t) => {
  const state = await temporary(t);
  const log = await logOf(state);
  t.after(() => log.close());
  const writing = Array.from({ length: 3000 }, (_, n) => log.write(impression(n % 2 ? ANN : 'bob', n)));
  assert.equal(await eraseImpressions(state, ANN, log, () => undefined), 1500);
  await Promise.all(writing);
  assert.deepEqual(await filesWith(state, ANN), []);
  const records = await loggedIn(impressionsPath(state));
  assert.deepEqual([records.length, records.filter((one) => one === 'bob').length], [3000, 1500]);
});

test('logs that were found damaged: whole lists of others stay, and what cannot be read and mentions the user goes', async (t) => {
  const state = await temporary(t);
  const lines: string[] = [];
  const keep = (_: string, message: string): void => void lines.push(message);
  const place = impressionsPath(state);
  const segment = 'journal-000000000001.log';
  for (const damaged of [1, 2]) {
    const log = await logOf(state, keep);
    for (let n = 0; n < 6; n++) await log.write(impression(damaged === 1 && n % 2 === 0 ? ANN : 'bob', n));
    await log.close();
    const bytes = await readFile(join(place, segment));
    bytes[bytes.indexOf('"i2"') + 1]! ^= 1;
    await writeFile(join(place, segment), bytes);
  }
  // The next start finds the second one damaged; the first it had found before.
  assert.equal(lines.length, 1);
  await cp(join(state, 'impressions.damaged-1'), join(state, 'impressions.damaged-3'), { recursive: true });
  await writeFile(join(state, 'impressions.damaged-3', 'journal.json'), `no header ${ANN}`);
  await writeFile(join(state, 'impressions.damaged-3', 'journal-000000000003.log'), `overlaps ${ANN}`);
  const untouched = await readFile(join(place, segment));
  assert.equal(await eraseImpressions(state, ANN, undefined, keep), 0);
  assert.deepEqual(await filesWith(state, ANN), []);
  assert.deepEqual(await loggedIn(join(state, 'impressions.damaged-1')), [
    'erased',
    'bob',
    'lost',
    'bob',
    'erased',
    'bob',
  ]);
  assert.deepEqual(await readFile(join(state, 'impressions.damaged-2', segment)), untouched);
  assert.deepEqual(await loggedIn(place), []);
  assert.match(lines.at(-1)!, /kept as .*impressions\.damaged-2/);
});

test('an erasure that a kill interrupted is completed by the next start, in the log of impressions, too', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const impressions = await logOf(state);
  const { service } = await startGuarded(model, state, { serving: { impressions } });
  await service.accept([eventOf(ANN, 1)]);
  await service.idle();
  for (const user of [ANN, 'bob'])
    await service.recommend({ user, includeSeen: true }, { requestId: `of ${user}` });
  await writeFile(join(state, 'erasing'), '');
  await service.users.forget(ANN);
  const killed = join(dir, 'killed');
  await cp(state, killed, { recursive: true });
  await service.close();
  await impressions.close();
  assert((await filesWith(killed, ANN)).length >= 2);
  await rename(join(killed, 'impressions'), join(killed, 'impressions.damaged-7'));
  await cp(join(state, 'impressions'), join(killed, 'impressions'), { recursive: true });
  const again = await startGuarded(model, killed);
  assert.deepEqual(await filesWith(killed, ANN), []);
  assert.equal((await readdir(killed)).includes('erasing'), false);
  for (const folder of ['impressions', 'impressions.damaged-7'])
    assert.deepEqual(await loggedIn(join(killed, folder)), ['erased', 'bob']);
  await again.service.close();
});

test('a power cut after any operation on the log: done again, it is complete, and nothing else is touched', async () => {
  const random = new Random(5);
  const directory = '/state/impressions';
  const options = { segmentBytes: 900, durability: 'always' as const };
  let cuts = 0;
  for (let cut = 1; ; cut++) {
    const files = new FaultyFiles();
    const journal = await Journal.open(directory, { ...options, files });
    for (let n = 0; n < 12; n++) await journal.append([impression(n % 3 ? 'bob' : ANN, n)]);
    const segments = await journal.seal();
    assert(segments.length > 2);
    await journal.close();
    files.cutAfter = cut;
    const done = await eraseLists({ directory, segments }, ANN, files).then(
      () => true,
      () => false,
    );
    if (!done) cuts++;
    files.cutAfter = Number.POSITIVE_INFINITY;
    const after = done ? files : files.powerCut(random);
    const again = await Journal.open(directory, { ...options, files: after });
    await eraseLists({ directory, segments: await again.seal() }, ANN, after);
    const read: unknown[] = [];
    for await (const { record } of again.read()) read.push(record);
    const expected = Array.from({ length: 12 }, (_, n) =>
      n % 3 ? impression('bob', n) : { type: 'erased' },
    );
    assert.deepEqual(read, expected);
    await again.close();
    if (done) break;
  }
  assert(cuts > 10, `${cuts} cuts`);
});
