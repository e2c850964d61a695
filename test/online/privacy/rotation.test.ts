import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { RecsysClient } from '../../../src/client/index.js';
import { selectBackend } from '../../../src/compute/select.js';
import { checkpointsSchema } from '../../../src/online/checkpoints/schema.js';
import { explorationSchema } from '../../../src/online/exploration/schema.js';
import { Journal } from '../../../src/online/journal.js';
import { createPseudonymKey, rotatePseudonymKey } from '../../../src/online/privacy/pseudonym-key.js';
import { pseudonyms } from '../../../src/online/privacy/pseudonyms.js';
import { renewRecords } from '../../../src/online/privacy/renewed-names.js';
import { learningSchema } from '../../../src/online/schema.js';
import { Random } from '../../../src/random.js';
import { writeTinyCheckpoint } from '../checkpoint-fixture.js';
import { shop } from '../checkpoints/fixtures.js';
import { FaultyFiles } from '../faulty-files.js';
import { temporary } from '../fixtures.js';
import { caughtUp, start } from '../serve-fixture.js';
import { ANN, eventOf, filesWith } from './fixtures.js';

before(async () => {
  await selectBackend('cpu');
});

const [FIRST, SECOND, THIRD] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2), Buffer.alloc(32, 3)] as const;
const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest('base64url');

test('each key makes its names of those that the keys before it made', () => {
  const [one, two, three] = [[FIRST], [FIRST, SECOND], [FIRST, SECOND, THIRD]].map(pseudonyms) as [
    ReturnType<typeof pseudonyms>,
    ReturnType<typeof pseudonyms>,
    ReturnType<typeof pseudonyms>,
  ];
  const name = `p_${hmac(FIRST, 'ann')}`;
  const next = `p2_${hmac(SECOND, name)}`;
  assert.equal(one.of('ann'), name);
  assert.equal(two.of('ann'), next);
  assert.equal(two.renewed(name), next);
  assert.equal(two.renewed(next), next, 'again it changes nothing');
  assert.equal(three.of('ann'), `p3_${hmac(THIRD, next)}`);
  assert.equal(three.renewed(name), three.of('ann'));
  assert.equal(three.renewed(next), three.of('ann'));
  assert.equal(two.renewed('ann'), 'ann');
  // What a client sends and looks like a pseudonym: a rotation could not tell it from one.
  const event = { id: name, user: 'bob', item: name, behaviour: 'view', time: 1, context: { x: next } };
  for (const names of [one, two])
    assert.deepEqual(names.event(event), {
      ...event,
      id: names.of(name),
      user: names.of('bob'),
      context: { x: names.of(next) },
    });
  assert.equal(two.renewed(one.event(event).id), two.event(event).id);
});

const directory = '/state/journal';
const options = { segmentBytes: 700, durability: 'always' as const };

async function readAll(files: FaultyFiles): Promise<unknown[]> {
  const journal = await Journal.open(directory, { ...options, files });
  const read: unknown[] = [];
  for await (const { record } of journal.read()) read.push(record);
  await journal.close();
  return read;
}

test('a power cut after any operation: each record is old or new, and done again all are new', async () => {
  const [old, names] = [pseudonyms([FIRST]), pseudonyms([FIRST, SECOND])];
  const own = [
    ...Array.from({ length: 12 }, (_, n) => ({ type: 'event' as const, ...eventOf(n % 3 ? 'bob' : ANN, n) })),
    { type: 'learn', through: 12 },
    { type: 'erased' },
    { type: 'erase', user: ANN },
  ];
  const by = (of: typeof names) =>
    own.map((record) =>
      'id' in record
        ? { type: 'event', ...of.event(record) }
        : 'user' in record
          ? { ...record, user: of.of(record.user as string) }
          : record,
    );
  const random = new Random(5);
  let cuts = 0;
  for (let cut = 1; ; cut++) {
    const files = new FaultyFiles();
    const journal = await Journal.open(directory, { ...options, files });
    for (const record of by(old)) await journal.append([record]);
    const segments = await journal.seal();
    assert(segments.length > 3);
    files.cutAfter = cut;
    const done = await renewRecords({ directory, segments }, names, files).then(
      (count) => {
        assert.equal(count, 13);
        return true;
      },
      () => false,
    );
    if (!done) cuts++;
    files.cutAfter = Number.POSITIVE_INFINITY;
    await journal.close();
    const left = done ? files : files.powerCut(random);
    for (const [i, record] of (await readAll(left)).entries())
      assert([by(old)[i], by(names)[i]].some((one) => JSON.stringify(one) === JSON.stringify(record)));
    const next = await Journal.open(directory, { ...options, files: left });
    await renewRecords({ directory, segments: await next.seal() }, names, left);
    await next.close();
    assert.deepEqual(await readAll(left), by(names));
    if (done) break;
  }
  assert(cuts > 20, `${cuts} cuts`);
});

const over = {
  learning: learningSchema.parse({ learningRate: 0.1, batch: 1, user: { rate: 0.05 } }),
  exploration: explorationSchema.parse({ log: true }),
};
const USERS = [ANN, 'u3', 'bob-71c2e0'];
const stream = Array.from({ length: 30 }, (_, n) => ({ ...eventOf(USERS[n % 3]!, n), id: `e${n}` }));

async function answersOf(url: string): Promise<unknown[]> {
  const client = new RecsysClient({ url, patience: 0 });
  const answers: unknown[] = [];
  for (const user of [...USERS, 'u5', 'stranger']) {
    const { requestId: _, ...list } = await client.recommendations(user, { k: 20 });
    const { impressions: __, nextImpressions: ___, journal: ____, ...known } = await client.user(user);
    answers.push(list, { ...known, requestId: '' });
  }
  client.close();
  return answers;
}

/** Answers with the names that ids of events and texts have been given. */
async function renewedBy(keyFile: string, answers: unknown[]): Promise<unknown[]> {
  const { keys } = JSON.parse(await readFile(keyFile, 'utf8')) as { keys: { key: string }[] };
  const { renewed } = pseudonyms(keys.map(({ key }) => Buffer.from(key, 'base64url')));
  return JSON.parse(JSON.stringify(answers).replace(/p\d*_[\w-]{43}/g, renewed));
}

test('after a rotation no file has the id or an old name, and answers are what they were', async (t) => {
  const dir = await temporary(t);
  const [model, state, pseudonymKey] = [join(dir, 'model'), join(dir, 'state'), join(dir, 'key.json')];
  await writeTinyCheckpoint(model);
  await createPseudonymKey(pseudonymKey);
  const serve = () => start(model, state, { ...over, pseudonymKey });
  let running = await serve();
  let client = new RecsysClient({ url: running.url, patience: 0 });
  for (const event of stream) await client.event(event);
  await client.event(eventOf(ANN, 50));
  await client.event({ ...eventOf(ANN, 51), id: 'e51', context: { mail: `${ANN}@example` } });
  await client.eraseUser('u3');
  for (const event of stream.slice(3)) if (event.user === 'u3') await client.event(event);
  await caughtUp(running.url);
  client.close();
  await running.stop();
  // The erasure has taken the snapshots: this start makes them.
  running = await serve();
  const before = await answersOf(running.url);
  await running.stop();

  const { key } = JSON.parse(await readFile(pseudonymKey, 'utf8'));
  const first = pseudonyms([Buffer.from(key, 'base64url')]);
  const stale = [ANN, 'u3', 'bob-71c2e0', 'u5', `${ANN}/50`, `${ANN}@example`].map(first.of);
  for (const name of stale) assert((await filesWith(state, name)).length > 0);
  const segment = join(state, 'journal', 'journal-000000000001.log');
  await writeFile(`${segment}.cut-9`, `..."user":"${stale[0]!.slice(0, 20)}`);
  await writeFile(`${segment}.cut-99`, '..."user');
  await cp(join(state, 'snapshot'), join(state, 'snapshot.unusable'), { recursive: true });
  await cp(join(state, 'impressions'), join(state, 'impressions.damaged-1'), { recursive: true });
  const [damaged] = (await readdir(join(state, 'impressions.damaged-1'))).filter((name) => /log$/.test(name));
  const bytes = await readFile(join(state, 'impressions.damaged-1', damaged!));
  bytes[bytes.length - 5]! ^= 1;
  bytes[40]! ^= 1;
  await writeFile(join(state, 'impressions.damaged-1', damaged!), bytes);
  await cp(pseudonymKey, join(dir, 'copy.json'));
  await cp(state, join(dir, 'unrenamed'), { recursive: true });

  assert.equal((await rotatePseudonymKey(pseudonymKey)).keys, 2);
  running = await serve();
  assert(
    running.lines.some((line) => /newest pseudonym key: [1-9]\d* records and [1-9]\d* lists/.test(line)),
  );
  assert(running.lines.some((line) => /going on from the snapshot/.test(line)));
  for (const name of [...stale, stale[0]!.slice(0, 20), ANN, 'bob-71c2e0'])
    assert.deepEqual(await filesWith(state, name), []);
  assert((await readdir(join(state, 'journal'))).includes('journal-000000000001.log.cut-99'));
  assert.deepEqual(await answersOf(running.url), await renewedBy(pseudonymKey, before));
  client = new RecsysClient({ url: running.url, patience: 0 });
  const repeated = await client.events([eventOf(ANN, 50), stream[29]!]);
  assert.deepEqual(
    repeated.events.map(({ status }) => status),
    ['duplicate', 'duplicate'],
  );
  client.close();
  await running.stop();

  await rotatePseudonymKey(pseudonymKey);
  running = await serve();
  assert.deepEqual(await answersOf(running.url), await renewedBy(pseudonymKey, before));
  client = new RecsysClient({ url: running.url, patience: 0 });
  assert.equal((await client.eraseUser(ANN)).events, 12);
  client.close();
  await running.stop();
  const names = (await readFile(pseudonymKey, 'utf8')).match(/"key"/g);
  assert.equal(names?.length, 3);

  await assert.rejects(start(model, state, { ...over, pseudonymKey: join(dir, 'copy.json') }), {
    code: 'PSEUDONYMS_INVALID',
    message: /begun with another pseudonym key/,
  });
  // A directory that two rotations have passed by.
  await (await start(model, join(dir, 'unrenamed'), { ...over, pseudonymKey })).stop();
  for (const name of stale) assert.deepEqual(await filesWith(join(dir, 'unrenamed'), name), []);
});

test('the journal alone, and a checkpoint that was served before, come to the same', async (t) => {
  const dir = await temporary(t);
  const [model, state, pseudonymKey] = [join(dir, 'model'), join(dir, 'state'), join(dir, 'key.json')];
  await writeTinyCheckpoint(model);
  await createPseudonymKey(pseudonymKey);
  const out = join(dir, 'served');
  let running = await start(model, state, { ...over, pseudonymKey, out });
  const client = new RecsysClient({ url: running.url, patience: 0 });
  for (const event of stream) await client.event(event);
  await caughtUp(running.url);
  client.close();
  const before = await answersOf(running.url);
  await running.stop();
  await rotatePseudonymKey(pseudonymKey);
  for (const name of ['snapshot', 'good']) await rm(join(state, name), { recursive: true });
  running = await start(model, state, { ...over, pseudonymKey });
  assert.deepEqual(await answersOf(running.url), await renewedBy(pseudonymKey, before));
  await running.stop();
  // Its names are those of the first key.
  running = await start(out, join(dir, 'further'), { ...over, pseudonymKey });
  const further = await answersOf(running.url);
  await running.stop();
  const ranked = (answers: unknown[]) => answers.map((one) => (one as { items?: unknown }).items);
  assert.deepEqual(ranked(further), ranked(before));
});

test('a rotation that was begun is completed with the same keys, and a file without the newest is refused', async (t) => {
  const dir = await temporary(t);
  const [model, state, key] = [join(dir, 'model'), join(dir, 'state'), join(dir, 'key.json')];
  await writeTinyCheckpoint(model);
  await createPseudonymKey(key);
  await mkdir(state);
  const running = await start(model, state, { pseudonymKey: key });
  const client = new RecsysClient({ url: running.url, patience: 0 });
  for (const event of stream.slice(0, 5)) await client.event(event);
  client.close();
  await running.stop();
  await cp(key, join(dir, 'copy.json'));
  await rotatePseudonymKey(key);
  // The journal cannot be read: the directory is left marked.
  const segment = join(state, 'journal', 'journal-000000000001.log');
  const whole = await readFile(segment);
  await writeFile(segment, Buffer.concat([Buffer.from('no frame'), whole]));
  const failed = start(model, state, { pseudonymKey: key });
  await assert.rejects(failed, { code: 'JOURNAL_DAMAGED' });
  assert.match(await readFile(join(state, 'pseudonyms.json'), 'utf8'), /"renaming":true/);
  await writeFile(segment, whole);
  await assert.rejects(start(model, state, { pseudonymKey: join(dir, 'copy.json') }), {
    code: 'PSEUDONYMS_INVALID',
  });
  await (await start(model, state, { pseudonymKey: key })).stop();
  assert.doesNotMatch(await readFile(join(state, 'pseudonyms.json'), 'utf8'), /renaming/);
  await writeFile(join(state, 'pseudonyms.json'), '{}');
  await assert.rejects(start(model, state, { pseudonymKey: key }), {
    code: 'PSEUDONYMS_INVALID',
    message: /does not say by which key/,
  });
  await assert.rejects(rotatePseudonymKey(join(dir, 'none.json')), { code: 'FILE_MISSING' });
});

test('what is kept of a checkpoint served before has the new names, too, and who goes back to it is known', async (t) => {
  const { dir, model, state, directory } = await shop(t);
  const pseudonymKey = join(dir, 'key.json');
  await createPseudonymKey(pseudonymKey);
  const { key } = JSON.parse(await readFile(pseudonymKey, 'utf8'));
  const old = pseudonyms([Buffer.from(key, 'base64url')]).of(ANN);
  const settings = { ...over, pseudonymKey, checkpoints: checkpointsSchema.parse({ directory }) };
  const serve = async () => {
    const running = await start(model, state, settings);
    const client = new RecsysClient({ url: running.url, patience: 0 });
    t.after(() => client.close());
    return { running, client };
  };
  const first = await serve();
  for (const event of stream) await first.client.event(event);
  await caughtUp(first.running.url);
  const { weights } = await first.client.user(ANN);
  assert(weights);
  assert.equal((await first.client.takeCheckpoint({ path: 'a', force: true })).swapped, true);
  await first.running.stop();
  assert((await filesWith(join(state, 'before'), old)).length > 0);
  await rotatePseudonymKey(pseudonymKey);
  const { running, client } = await serve();
  assert.deepEqual(await filesWith(state, old), []);
  await client.rollBackCheckpoint();
  const known = await client.user(ANN);
  assert.deepEqual([known.history?.length, known.weights], [10, weights]);
  await running.stop();
});
