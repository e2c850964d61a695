import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseYaml, parseYamlValue } from '../../src/config/yaml.js';
import type { RecsysError } from '../../src/errors.js';

test('places of keys and values', () => {
  const source = parseYaml('a:\n  b: 3\n  c:\n    - x\n    - y: 1\n', 'f');
  assert.deepEqual(source.value, { a: { b: 3, c: ['x', { y: 1 }] } });
  assert.equal(source.where(['a', 'b'], 'key'), 'f:2:3');
  assert.equal(source.where(['a', 'b'], 'value'), 'f:2:6');
  assert.equal(source.where(['a', 'c', 1, 'y'], 'value'), 'f:5:10');
  assert.equal(source.where(['a', 'missing', 'deep'], 'value'), 'f:2:3', 'the nearest place there is');
  assert.equal(source.where([], 'value'), 'f:1:1');
});

test('an empty text is an empty mapping', () => {
  for (const text of ['', '# only a comment\n', '---\n', 'null'])
    assert.deepEqual(parseYaml(text, 'f').value, {});
});

test('a root that is no mapping, and every syntax error with its place', () => {
  assert.throws(() => parseYaml('- a\n', 'f'), /f:1:1: expected a mapping \(key: value\), found a list/);
  assert.throws(() => parseYaml('text', 'f'), /found a single value/);
  assert.throws(
    () => parseYaml('a: [1\nb: 2\n', 'f'),
    (error: RecsysError) => error.code === 'CONFIG_SYNTAX' && /f:\d+:\d+: /.test(error.message),
  );
  assert.throws(() => parseYaml('a: 1\na: 2\n', 'f'), /f:2:1: Map keys must be unique/);
  assert.throws(() => parseYaml('a: 1\n---\nb: 2\n', 'f'), /f:2/);
  assert.throws(
    () => parseYaml('a: *nobody\n', 'f'),
    (error: RecsysError) => error.code === 'CONFIG_SYNTAX',
  );
});

test('aliases that would explode are refused', () => {
  const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
  for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg'])
    bomb.push(`${to}: &${to} [${Array(9).fill(`*${from}`).join(',')}]`);
  assert.throws(
    () => parseYaml(bomb.join('\n'), 'f'),
    (error: RecsysError) => error.code === 'CONFIG_SYNTAX',
  );
});

test('single values', () => {
  assert.equal(parseYamlValue('3', 's'), 3);
  assert.equal(parseYamlValue('true', 's'), true);
  assert.equal(parseYamlValue('a text', 's'), 'a text');
  assert.deepEqual(parseYamlValue('[1, b]', 's'), [1, 'b']);
  assert.equal(parseYamlValue('', 's'), null);
});
