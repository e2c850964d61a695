import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEvents } from '../../src/online/events.js';
import { event, post, startServer } from './fixtures.js';

test('what could not be kept as it is sent is refused: no Unicode, times before 1970, values and states out of range', async (t) => {
  const { app, service } = await startServer(t);
  const first = event('a', 'i1');
  const cases: [object, string][] = [
    [{ ...first, user: 'a\ud800' }, 'event 0: user is not valid: it is not Unicode (a lone surrogate)'],
    [{ ...first, id: '\udfffa' }, 'event 0: id is not valid: it is not Unicode (a lone surrogate)'],
    [
      { ...first, time: '1969-12-31T23:59:59Z' },
      'event 0: time is not valid: Too small: expected number to be >=0',
    ],
    [
      { ...first, value: 1e39 },
      'event 0: value is not valid: Too big: expected number to be <=3.4028234663852886e+38',
    ],
  ];
  for (const [body, message] of cases) {
    const reply = await post(app, '/v1/events', body);
    assert.deepEqual([reply.status, reply.body.message], [400, message]);
  }
  const state = await post(app, '/v1/recommendations', { state: [0, -1e16] });
  assert.equal(
    state.body.message,
    'state.1 is not valid: Too small: expected number to be >=-1000000000000000',
  );
  const headers = { 'content-type': 'application/json' };
  const latin = Buffer.from(JSON.stringify({ ...first, user: 'zo\u00eb' }), 'latin1');
  const refused = await app.inject({ method: 'POST', url: '/v1/events', headers, payload: latin });
  assert.deepEqual([refused.statusCode, refused.json().message], [400, 'the body is not UTF-8']);
  assert.equal(service.position, 0);
  const taken = { ...first, user: 'zo\u00eb \ud83d\ude00', time: '1970-01-01T00:00:00Z', value: 3e38 };
  assert.equal((await post(app, '/v1/events', taken)).status, 200);
});

test('an event is to the bit what the journal gives back of it', () => {
  const rules = { behaviours: ['view'], maxEvents: 1, now: -0 };
  for (const sent of [{ time: -0, value: -0 }, { value: 0.1 }, { time: 8.64e15, value: -1e-320 }]) {
    const [taken] = parseEvents({ ...event('a', 'i1'), ...sent }, rules);
    // Tells −0 from 0.
    assert.deepStrictEqual(taken, JSON.parse(JSON.stringify(taken)));
  }
});
