import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Exploration } from '../../../src/online/exploration/exploration.js';
import { explorationSchema } from '../../../src/online/exploration/schema.js';
import { ImpressionLog } from '../../../src/online/impressions/log.js';
import { outcomesByRequest } from '../../../src/online/impressions/outcomes.js';
import { type Impression, impressionRecord } from '../../../src/online/impressions/record.js';
import { journalRecords } from '../../../src/online/journal/check.js';
import { DISK, type JournalFiles } from '../../../src/online/journal/files.js';
import { retentionSchema } from '../../../src/online/schema.js';
import { event, NOW, post, recordingContext, startServer, startService, temporary } from '../fixtures.js';

async function logged(directory: string): Promise<Impression[]> {
  const found: Impression[] = [];
  for await (const { record } of journalRecords(directory)) found.push(impressionRecord.parse(record));
  return found;
}

const openLog = (directory: string, over: { files?: JournalFiles; retention?: object } = {}) => {
  const context = recordingContext();
  const retention = retentionSchema.parse(over.retention);
  const options = { durability: 'always', syncInterval: 100, log: context.log, now: () => NOW } as const;
  const files = over.files ? { files: over.files } : {};
  return ImpressionLog.open(directory, { ...options, ...files, retention }).then((log) => ({ log, context }));
};

test('what is served is logged before it is answered, with what another policy needs; events join it', async (t) => {
  const dir = await temporary(t);
  const { log } = await openLog(join(dir, 'impressions'));
  t.after(() => log.close());
  const exploration = new Exploration(explorationSchema.parse({ kind: 'softmax', pool: 4 }), 1);
  const { app, service } = await startServer(t, { serving: { exploration, impressions: log } });
  await post(app, '/v1/events', [event('e1', 'i7', 'u1'), event('e2', 'i3', 'u1')]);
  await service.idle();
  const { body } = await post(app, '/v1/recommendations', { user: 'u1', k: 2 });
  const [impression] = await logged(join(dir, 'impressions'));
  const shown = body.items.map(({ item, propensity }: Record<string, unknown>) => ({ item, propensity }));
  assert.deepEqual(impression, {
    ...{
      type: 'impression',
      requestId: body.requestId,
      time: NOW,
      user: 'u1',
      modelVersion: body.modelVersion,
    },
    policy: 'softmax',
    items: shown,
    pool: ['i1', 'i2', 'i4', 'i5'],
    history: [
      { item: 'i7', behaviour: 'view' },
      { item: 'i3', behaviour: 'view' },
    ],
  });
  assert.equal(body.listPropensity, shown[0].propensity * shown[1].propensity);
  const anonymous = await post(app, '/v1/recommendations', {
    history: ['i9'],
    k: 1,
    candidates: ['i2', 'i6'],
  });
  const later = (await logged(join(dir, 'impressions')))[1]!;
  assert.deepEqual(
    [later.requestId, later.user, later.pool],
    [anonymous.body.requestId, undefined, ['i2', 'i6']],
  );
  assert.deepEqual(later.history, [{ item: 'i9', behaviour: 'view' }]);

  const chosen = { ...event('e3', shown[0].item, 'u1'), requestId: body.requestId, value: 2 };
  assert.equal((await post(app, '/v1/events', [chosen, event('e4', 'i9', 'u1')])).status, 200);
  const bad = await post(app, '/v1/events', { ...event('e5', 'i1'), requestId: 7 });
  assert.equal(bad.body.errors[0].field, 'requestId');
});

test('the label of a list outlives a restart, in the journal', async (t) => {
  const dir = await temporary(t);
  const first = await startService(dir);
  await first.service.accept([{ ...event('e1', 'i2'), id: 'e1', time: NOW, requestId: 'r1', value: 1 }]);
  await first.service.close();
  assert.deepEqual(
    [...(await outcomesByRequest(dir))],
    [['r1', [{ item: 'i2', behaviour: 'view', time: NOW, value: 1 }]]],
  );
  const again = await startService(dir);
  await again.service.idle();
  await again.service.close();
});

const impression = (requestId: string): Omit<Impression, 'time'> => ({
  ...{ type: 'impression', requestId, modelVersion: 'v', policy: 'none' },
  ...{ items: [{ item: 'i1', propensity: 1 }], history: [] },
});

test('a full disk: lists are served without, and logged again once there is room; the log says so once', async (t) => {
  const dir = await temporary(t);
  let full = false;
  const files: JournalFiles = {
    ...DISK,
    async open(path) {
      const file = await DISK.open(path);
      return {
        ...file,
        async write(bytes, position) {
          if (full) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
          await file.write(bytes, position);
        },
      };
    },
  };
  const { log, context } = await openLog(join(dir, 'impressions'), { files });
  await log.write(impression('a'));
  full = true;
  await log.write(impression('b'));
  await log.write(impression('c'));
  full = false;
  await log.write(impression('d'));
  await log.close();
  assert.deepEqual(
    (await logged(join(dir, 'impressions'))).map(({ requestId }) => requestId),
    ['a', 'd'],
  );
  assert.deepEqual(
    context.lines.map((line) => line.slice(0, 34)),
    ['warn: impressions cannot be written', 'info: impressions can be written a'].map((line) =>
      line.slice(0, 34),
    ),
  );
});

test('a damaged log is kept aside, and the service begins a new one', async (t) => {
  const dir = await temporary(t);
  const place = join(dir, 'impressions');
  const first = await openLog(place);
  for (let n = 0; n < 3; n++) await first.log.write(impression(`r${n}`));
  await first.log.close();
  const segment = join(place, 'journal-000000000001.log');
  const bytes = await readFile(segment);
  bytes[40]! ^= 1;
  await writeFile(segment, bytes);
  const second = await openLog(place);
  await second.log.write(impression('new'));
  await second.log.close();
  assert.match(second.context.lines[0]!, /kept as .*impressions\.damaged-1/);
  assert.deepEqual((await readdir(dir)).sort(), ['impressions', 'impressions.damaged-1']);
  assert.deepEqual(await readFile(join(dir, 'impressions.damaged-1/journal-000000000001.log')), bytes);
  assert.equal((await logged(place)).length, 1);
});

test('old segments go as the retention says', async (t) => {
  const dir = await temporary(t);
  const { log } = await openLog(dir, { retention: { segmentBytes: 4096, segments: 1 } });
  for (let n = 0; n < 10; n++)
    await Promise.all(Array.from({ length: 100 }, (_, i) => log.write(impression(`${n} ${i}`))));
  await log.close();
  const segments = (await readdir(dir)).filter((name) => name.endsWith('.log'));
  assert(segments.length <= 2, `${segments}`);
});
