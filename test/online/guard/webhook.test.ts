import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { Alert } from '../../../src/online/guard/alerts.js';
import { alertsSchema, Webhook, withoutSecrets } from '../../../src/online/guard/webhook.js';
import { recordingContext } from '../fixtures.js';

const alert = (number: number): Alert => ({
  number,
  time: 0,
  kind: 'quality',
  message: `alert ${number}`,
  position: 9,
  since: 3,
  count: 1,
  events: ['e1'],
});

/** A server that answers with each of these in turn, then 200. */
async function receiver(t: TestContext, ...answers: ((response: ServerResponse) => void)[]) {
  const bodies: { text: string; alert: { number: number; time: string } }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      bodies.push(JSON.parse(Buffer.concat(chunks).toString()));
      const answer = answers.shift();
      if (answer) answer(response);
      else response.end('taken');
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    bodies,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/secret?token=secret`,
  };
}

const until = async (done: () => boolean): Promise<void> => {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 5));
};
const status =
  (code: number, headers = {}) =>
  (response: ServerResponse) =>
    void response.writeHead(code, headers).end();
const options = { timeout: 200, tries: 3 };

test('alerts arrive in order, each tried again where it is not taken', async (t) => {
  const { bodies, url } = await receiver(t, status(500), (response) => response.destroy(), status(204));
  const { lines, log } = recordingContext();
  const webhook = new Webhook(url, options, log, 5);
  webhook.send(alert(1));
  webhook.send(alert(2));
  await until(() => bodies.length === 4);
  assert.deepEqual(
    bodies.map(({ alert }) => alert.number),
    [1, 1, 1, 2],
  );
  assert.deepEqual([bodies[3]!.text, bodies[3]!.alert.time], ['recsys: alert 2', '1970-01-01T00:00:00.000Z']);
  // The last answer may still be on its way.
  await webhook.idle();
  await webhook.close();
  assert.deepEqual(lines, []);
});

test('a redirect is not followed, silence times out, and the log has the host alone', async (t) => {
  const other = await receiver(t);
  const moved = status(307, { location: other.url });
  const { bodies, url } = await receiver(
    t,
    moved,
    moved,
    moved,
    () => {},
    () => {},
    () => {},
  );
  const { lines, log } = recordingContext();
  const webhook = new Webhook(url, { ...options, timeout: 50 }, log, 5);
  webhook.send(alert(1));
  webhook.send(alert(2));
  await until(() => lines.length === 2);
  await webhook.close();
  assert.deepEqual([other.bodies.length, bodies.length], [0, 6]);
  assert.match(lines[0]!, /^warn: alert 1 could not be sent to http:\/\/127\.0\.0\.1:\d+: it answered 307$/);
  assert.match(lines[1]!, /no answer in time$/);
  assert(!lines.join().includes('secret'));
});

test('closing ends a try under way and what waits', async (t) => {
  const { bodies, url } = await receiver(t, () => {});
  const { log } = recordingContext();
  const webhook = new Webhook(url, { timeout: 60_000, tries: 9 }, log);
  for (let n = 1; n <= 300; n++) webhook.send(alert(n));
  await until(() => bodies.length === 1);
  const start = Date.now();
  await webhook.close();
  assert(Date.now() - start < 1000);
  assert.equal(bodies.length, 1);
});

test('addresses of http and https alone, without a password; files hold no secret of them', () => {
  for (const webhook of [
    'file:///etc/passwd',
    'ftp://a/',
    'data:,x',
    'https://user:pass@a.example/',
    'nothing',
  ])
    assert.equal(alertsSchema.safeParse({ webhook }).success, false, webhook);
  const config = alertsSchema.parse({ webhook: 'https://hooks.example/T0/secret?x=y' });
  assert.deepEqual(withoutSecrets(config), { ...config, webhook: 'https://hooks.example' });
});
