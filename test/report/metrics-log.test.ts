import assert from 'node:assert/strict';
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openMetricsLog, readMetrics } from '../../src/report/metrics-log.js';
import { temporary } from '../storage/fixtures.js';

test('metrics are one JSON object a line, and a resumed run drops what came after its snapshot', async (t) => {
  const path = join(await temporary(t), 'metrics.jsonl');
  assert.deepEqual(await readMetrics(path), []);
  const first = await openMetricsLog(path);
  for (const epoch of [1, 2, 3]) await first.append({ epoch, loss: epoch === 2 ? Number.NaN : 1 / epoch });
  await first.close();
  assert.equal(
    await readFile(path, 'utf8'),
    '{"epoch":1,"loss":1}\n{"epoch":2,"loss":null}\n{"epoch":3,"loss":0.3333333333333333}\n',
  );
  await appendFile(path, '{"epoch":4,"lo');
  assert.deepEqual(await readMetrics(path), [
    { epoch: 1, loss: 1 },
    { epoch: 2, loss: Number.NaN },
    { epoch: 3, loss: 1 / 3 },
  ]);
  const second = await openMetricsLog(path, { resumeFrom: 2 });
  await second.append({ epoch: 3, loss: 0.5 });
  await second.close();
  assert.deepEqual(second.rows, [
    { epoch: 1, loss: 1 },
    { epoch: 2, loss: Number.NaN },
    { epoch: 3, loss: 0.5 },
  ]);
  assert.deepEqual(await readMetrics(path), second.rows);
  await (await openMetricsLog(path)).close();
  assert.equal(await readFile(path, 'utf8'), '');
});
