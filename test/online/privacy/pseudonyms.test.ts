import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { chmod, cp, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { RecsysClient } from '../../../src/client/index.js';
import { selectBackend } from '../../../src/compute/select.js';
import { explorationSchema } from '../../../src/online/exploration/schema.js';
import { outcomesByRequest } from '../../../src/online/impressions/outcomes.js';
import { createPseudonymKey } from '../../../src/online/privacy/pseudonym-key.js';
import { pseudonyms } from '../../../src/online/privacy/pseudonyms.js';
import { learningSchema } from '../../../src/online/schema.js';
import { writeTinyCheckpoint } from '../checkpoint-fixture.js';
import { temporary } from '../fixtures.js';
import { caughtUp, start } from '../serve-fixture.js';
import { ANN, eventOf, filesWith } from './fixtures.js';

before(async () => {
  await selectBackend('cpu');
});

const learning = learningSchema.parse({ learningRate: 0.1, batch: 1, user: { rate: 0.05 } });
const exploration = explorationSchema.parse({ log: true });
const USERS = [ANN, 'u3', 'bob-71c2e0'];

/** Events whose ids do not name their users: what is drawn by them is the same with pseudonyms. */
const stream = Array.from({ length: 30 }, (_, n) => ({ ...eventOf(USERS[n % 3]!, n), id: `e${n}` }));

async function listsOf(client: RecsysClient): Promise<unknown[]> {
  const lists: unknown[] = [];
  for (const user of [...USERS, 'u5', 'stranger']) {
    const { requestId: _, ...list } = await client.recommendations(user, { k: 20 });
    const { requestId: __, ...state } = await client.state(user);
    lists.push(list, state);
  }
  return lists;
}

test('HMAC-SHA-256 of the id; ids of events and texts that hold it go as a whole', () => {
  const key = Buffer.alloc(32, 7);
  const names = pseudonyms([key]);
  const hmac = (text: string) => `p_${createHmac('sha256', key).update(text).digest('base64url')}`;
  assert.equal(names.of('ann'), hmac('ann'));
  assert.notEqual(names.of('ann'), pseudonyms([Buffer.alloc(32, 8)]).of('ann'));
  const event = { user: 'ann', item: 'i1', behaviour: 'view', time: 1 };
  assert.deepEqual(names.event({ ...event, id: 'x1' }), { ...event, id: 'x1', user: hmac('ann') });
  assert.deepEqual(names.event({ ...event, id: 'ann/1', context: { page: 'home', mail: 'ann@a', ann: 3 } }), {
    ...event,
    id: hmac('ann/1'),
    user: hmac('ann'),
    context: { page: 'home', mail: hmac('ann@a'), [hmac('ann')]: 3 },
  });
  const drawn = 'f81d4fae-7dec-41d0-a765-00a0c91e6bf6';
  const requestOf = (user: string, requestId: string) =>
    names.event({ ...event, id: 'x', user, requestId }).requestId;
  assert.equal(requestOf('7', drawn), drawn, 'the id of a list, by which its log knows it');
  assert.equal(requestOf('ann', 'ann/1'), hmac('ann/1'));
  assert.equal(requestOf('ann', 'own'), 'own');
  assert.equal(requestOf(drawn, drawn), hmac(drawn));
});

test('requests go on with plain ids, none of which is in a file, log line or metric', async (t) => {
  const dir = await temporary(t);
  const model = join(dir, 'model');
  await writeTinyCheckpoint(model);
  const pseudonymKey = join(dir, 'safe', 'pseudonyms.json');
  await createPseudonymKey(pseudonymKey);
  if (process.platform !== 'win32') assert.equal((await stat(pseudonymKey)).mode & 0o777, 0o600);
  for (const [state, over] of [
    ['plain', { learning, exploration }],
    ['hidden', { learning, exploration, pseudonymKey }],
  ] as const) {
    let running = await start(model, join(dir, state), over);
    const open = () => new RecsysClient({ url: running.url, patience: 0 });
    let client = open();
    for (const event of stream) {
      const { events } = await client.event(event);
      assert.equal(events[0]!.id, event.id);
    }
    const named = await client.events([eventOf(ANN, 99), eventOf(ANN, 99)]);
    assert.deepEqual(
      named.events.map(({ id, status }) => [id, status]),
      [
        [`${ANN}/99`, 'accepted'],
        [`${ANN}/99`, 'duplicate'],
      ],
    );
    const lists = new Map<string, string>();
    for (const user of [ANN, 'bob-71c2e0', 'u3', ANN]) {
      const { requestId, items } = await client.recommendations(user, { k: 2 });
      lists.set(user, requestId);
      await client.event({ ...eventOf(user, 200 + lists.size), item: items[0]!.item, requestId });
    }
    await client.event({ ...eventOf(ANN, 300), requestId: `list of ${ANN}` });
    assert.equal((await client.eraseUser('bob-71c2e0')).impressions, 1);
    const { impressions } = await client.user(ANN);
    assert.equal(impressions?.length, 2);
    const outcomes = await outcomesByRequest(join(dir, state, 'journal'));
    assert.equal(outcomes.get(lists.get(ANN)!)![0]!.item, impressions[1]!.items[0]!.item);
    await caughtUp(running.url);
    const told = await client.user(ANN);
    assert.deepEqual([told.user, told.events.length, told.history?.length], [ANN, 14, 14]);
    assert.equal((await client.user('u3')).checkpoint.known, true);
    if (state === 'hidden') {
      const metrics = await client.metrics();
      for (const user of [ANN, 'bob-71c2e0']) {
        assert.deepEqual(await filesWith(join(dir, state), user), []);
        assert(!metrics.includes(user) && !running.lines.some((line) => line.includes(user)));
      }
    }
    client.close();
    await running.stop();
    running = await start(model, join(dir, state), over);
    await running.stop();
    // From the snapshot that the restart has written.
    running = await start(model, join(dir, state), over);
    assert(running.lines.some((line) => /going on from the snapshot/.test(line)));
    client = open();
    assert.equal((await client.recommendations('u3')).fallback, false, 'a user of the checkpoint is found');
    client.close();
    await running.stop();
    const holding = await filesWith(join(dir, state), ANN);
    assert.equal(holding.length > 0, state === 'plain', holding.join());
  }
});

test('lists are bit for bit those with plain ids, of a checkpoint that was served as well', async (t) => {
  const dir = await temporary(t);
  const model = join(dir, 'model');
  await writeTinyCheckpoint(model);
  const pseudonymKey = join(dir, 'pseudonyms.json');
  await createPseudonymKey(pseudonymKey);
  const first = await start(model, join(dir, 'first'), { learning, out: join(dir, 'served') });
  const feed = new RecsysClient({ url: first.url, patience: 0 });
  for (const event of stream) await feed.event(event);
  feed.close();
  await first.stop();
  const answers: unknown[][] = [];
  for (const [state, over] of [
    ['plain', { learning }],
    ['hidden', { learning, pseudonymKey }],
  ] as const) {
    const running = await start(join(dir, 'served'), join(dir, state), over);
    const client = new RecsysClient({ url: running.url, patience: 0 });
    for (const event of stream.slice(0, 9)) await client.event({ ...event, id: `more-${event.id}` });
    await caughtUp(running.url);
    answers.push(await listsOf(client));
    assert.equal((await client.user(ANN)).checkpoint.known, true);
    client.close();
    await running.stop();
  }
  assert.deepEqual(answers[1], answers[0]);
});

test('a key that lies in the state directory, others can read, is another or none is refused', async (t) => {
  const dir = await temporary(t);
  const [model, state] = [join(dir, 'model'), join(dir, 'state')];
  await writeTinyCheckpoint(model);
  const [one, other, inside] = [join(dir, 'one.json'), join(dir, 'other.json'), join(state, 'key.json')];
  await createPseudonymKey(one);
  await createPseudonymKey(other);
  await assert.rejects(createPseudonymKey(one), { code: 'OUTPUT_EXISTS' });
  await mkdir(state);
  await cp(one, inside);
  const refused = async (pseudonymKey: string | undefined, code: string, message: RegExp, at = state) => {
    await assert.rejects(start(model, at, { pseudonymKey }), (error: { code?: string; message: string }) => {
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    });
  };
  await refused(inside, 'PSEUDONYMS_INVALID', /lies in the state directory/);
  await refused(join(dir, 'missing.json'), 'FILE_MISSING', /no such file/);
  await writeFile(join(dir, 'short.json'), '{"key": "abc"}', { mode: 0o600 });
  await refused(join(dir, 'short.json'), 'PSEUDONYMS_INVALID', /is not a pseudonym key/);
  if (process.platform !== 'win32') {
    await cp(one, join(dir, 'open.json'));
    await chmod(join(dir, 'open.json'), 0o644);
    await refused(join(dir, 'open.json'), 'SECRETS_EXPOSED', /can be read or changed by others/);
  }
  await (await start(model, state, { pseudonymKey: one })).stop();
  await refused(other, 'PSEUDONYMS_INVALID', /was begun with another pseudonym key/);
  await refused(undefined, 'PSEUDONYMS_INVALID', /knows its users by pseudonyms, and no key is given/);
  await (await start(model, join(dir, 'plain'))).stop();
  await refused(one, 'PSEUDONYMS_INVALID', /was begun without pseudonyms/, join(dir, 'plain'));
  const marker = await readFile(join(state, 'pseudonyms.json'), 'utf8');
  assert(!marker.includes(JSON.parse(await readFile(one, 'utf8')).key));
});
