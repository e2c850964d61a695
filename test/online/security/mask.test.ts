import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maskingLog, without } from '../../../src/online/security/mask.js';

test('fields are masked by name at any depth, keys wherever they stand', () => {
  const lines: [string, Record<string, unknown> | undefined][] = [];
  const log = maskingLog(
    (_level, message, fields) => void lines.push([message, fields]),
    ['user', 'context'],
  );
  log('info', 'with rsk_abc.def', {
    user: 'ann',
    seq: 3,
    deep: [
      { User: 7, token: 'x', kept: 'rsk_abc%2E' },
      { context: { user: 'b' }, users: ['c'] },
    ],
    Authorization: ['Bearer y'],
  });
  log('info', 'nothing');
  assert.deepEqual(lines, [
    [
      'with rsk_…',
      {
        user: '…',
        seq: 3,
        deep: [
          { User: '…', token: '…', kept: 'rsk_…' },
          { context: '…', users: ['c'] },
        ],
        Authorization: '…',
      },
    ],
    ['nothing', undefined],
  ]);
});

test('what a request held is taken out of an error, longer texts first, short ones where they are quoted', () => {
  const text = `TypeError: no 'ann' in "annabel", (reading 'a') at map (file.js:1:2)`;
  const request = { user: 'ann', friends: [{ id: 'annabel' }, 'a', 12_345, null, ''] };
  assert.equal(without(text, request), "TypeError: no '…' in \"…\", (reading '…') at map (file.js:1:2)");
  assert.equal(without('12345 and 1234', request), '… and 1234');
  assert.equal(without('context shoe-size', { context: { 'shoe-size': 46 } }), 'context …');
});
