import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { path } from '../../src/config/fields.js';
import { flagLayer, type Layer, setLayer, yamlLayer } from '../../src/config/layers.js';
import { resolveConfig } from '../../src/config/load.js';
import { parseYaml } from '../../src/config/yaml.js';
import { RecsysError } from '../../src/errors.js';

const schema = z.strictObject({
  data: path('a dataset'),
  extra: z.union([path('one'), z.array(path('each'))]).optional(),
  epochs: z.int().min(1).max(100).default(10),
  rate: z.number().positive().default(0.1),
  loss: z.enum(['softmax', 'bce', 'mse']).default('softmax'),
  model: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('mlp'), hidden: z.array(z.int().min(1)).default([64]) }),
      z.strictObject({
        kind: z.literal('transformer'),
        width: z.int().default(32),
        table: path('weights').optional(),
      }),
    ])
    .default({ kind: 'transformer', width: 32 }),
  weights: z
    .record(z.string(), z.strictObject({ value: z.number(), file: path('file').optional() }))
    .default({}),
});

const yaml = (text: string): Layer => yamlLayer(parseYaml(text, 'a.yaml'), '/yaml/folder');
const load = (text: string, ...more: Layer[]) => resolveConfig(schema, [yaml(text), ...more], 'pretrain');

function failure(text: string, ...more: Layer[]): string[] {
  try {
    load(text, ...more);
  } catch (error) {
    assert.ok(error instanceof RecsysError);
    assert.equal(error.exitCode, 2);
    return error.message.split('\n').map((line) => line.trim());
  }
  throw new Error('nothing was wrong');
}

test('defaults < YAML < --set < flags', () => {
  const text = 'data: d\nepochs: 2\nrate: 0.2\nloss: bce\n';
  const { config } = load(
    text,
    setLayer('epochs=3', '/cwd'),
    setLayer('rate=0.3', '/cwd'),
    flagLayer('epochs', 'epochs', 4, '/cwd'),
  );
  assert.equal(config.epochs, 4);
  assert.equal(config.rate, 0.3);
  assert.equal(config.loss, 'bce');
  assert.deepEqual(config.model, { kind: 'transformer', width: 32 });
});

test('paths are relative to the YAML, from --set and flags to the working directory; also nested, in lists and unions', () => {
  const { config, paths } = load(
    'data: ../d\nextra: [x, /abs/y]\nmodel: { kind: transformer, table: t }\nweights: { a: { value: 1, file: f } }\n',
    setLayer('weights.b={ value: 2, file: g }', '/cwd'),
    flagLayer('table', 'model.table', 'u', '/cwd'),
  );
  assert.equal(config.data, '/yaml/d');
  assert.deepEqual(config.extra, ['/yaml/folder/x', '/abs/y']);
  assert.deepEqual(config.model, { kind: 'transformer', width: 32, table: '/cwd/u' });
  assert.deepEqual(config.weights, {
    a: { value: 1, file: '/yaml/folder/f' },
    b: { value: 2, file: '/cwd/g' },
  });
  assert.deepEqual(
    paths.map((one) => one.key),
    ['data', 'extra.0', 'extra.1', 'model.table', 'weights.a.file', 'weights.b.file'],
  );
});

test('stdin (`-`) is no path', () => {
  assert.equal(load('data: "-"').config.data, '-');
});

test('two errors at once are both reported, each with its line', () => {
  const lines = failure('data: d\nepochs: 0\nloss: hinge\n');
  assert.deepEqual(lines, [
    'settings of pretrain are not valid (2 errors)',
    'a.yaml:2:9: epochs: expected at least 1, found 0',
    'a.yaml:3:7: loss: expected "softmax", "bce" or "mse", found "hinge"',
  ]);
});

test('unknown keys name the nearest known one, at any depth, and stand beside other errors', () => {
  const lines = failure('data: d\nepocs: 3\nmodel:\n  kind: mlp\n  hiden: [1]\n  hidden: [1.5]\n');
  assert.deepEqual(lines.slice(1), [
    'a.yaml:2:1: epocs: unknown key; did you mean "epochs"?',
    'a.yaml:5:3: model.hiden: unknown key; did you mean "hidden"?',
    'a.yaml:6:12: model.hidden.0: expected a whole number, found 1.5',
  ]);
});

test('a key of another kind of model is unknown, and the known ones are named', () => {
  const [, line] = failure('data: d\nmodel: { kind: mlp, width: 3 }\n');
  assert.equal(line, 'a.yaml:2:21: model.width: unknown key; known: kind, hidden');
});

test('an unknown kind of a union lists the kinds', () => {
  const [, line] = failure('data: d\nmodel: { kind: rnn }\n');
  assert.equal(line, 'a.yaml:2:16: model.kind: expected "mlp" or "transformer", found "rnn"');
  const [, ...near] = failure('data: d\nmodel: { kind: transformr }\nloss: softmx\n');
  assert.deepEqual(near, [
    'a.yaml:3:7: loss: expected "softmax", "bce" or "mse", found "softmx"; did you mean "softmax"?',
    'a.yaml:2:16: model.kind: expected "mlp" or "transformer", found "transformr"; did you mean "transformer"?',
  ]);
});

test('wrong types say what was expected and found', () => {
  const lines = failure('data: 3\nepochs: many\nmodel: mlp\nweights: [1]\nextra: { a: 1 }\n');
  assert.deepEqual(lines.slice(1), [
    'a.yaml:1:7: data: expected a text, found 3',
    'a.yaml:5:8: extra: expected a text or a list, found a mapping',
    'a.yaml:2:9: epochs: expected a number, found "many"',
    'a.yaml:3:8: model: expected a mapping, found "mlp"',
    'a.yaml:4:10: weights: expected a mapping, found the list [1]',
  ]);
});

test('a missing key points at the file', () => {
  assert.deepEqual(failure('epochs: 3\n').slice(1), ['a.yaml:1:1: data: missing; expected a text']);
});

test('an error in --set or a flag points there', () => {
  const lines = failure(
    'data: d',
    setLayer('epochs=x', '/cwd'),
    setLayer('modle.width=3', '/cwd'),
    flagLayer('rate', 'rate', -1, '/cwd'),
  );
  assert.deepEqual(lines.slice(1), [
    '--set modle.width=3: modle: unknown key; did you mean "model"?',
    '--set epochs=x: epochs: expected a number, found "x"',
    '--rate: rate: expected more than 0, found -1',
  ]);
});

test('--set reads YAML values and creates mappings on the way', () => {
  const { config } = load(
    'data: d',
    setLayer('weights.a.value=1e-3', '/c'),
    setLayer('model={kind: mlp, hidden: [2, 3]}', '/c'),
    setLayer('model.hidden.1=5', '/c'),
  );
  assert.deepEqual(config.weights, { a: { value: 0.001 } });
  assert.deepEqual(config.model, { kind: 'mlp', hidden: [2, 5] });
});

test('--set without a key or an equals sign is a usage error', () => {
  for (const bad of ['epochs', '=3', 'a..b=3', '']) {
    assert.throws(
      () => setLayer(bad, '/c'),
      (error: RecsysError) => error.code === 'USAGE',
    );
  }
  assert.throws(
    () => setLayer('a=[1', '/c'),
    (error: RecsysError) => error.code === 'CONFIG_SYNTAX',
  );
});

test('names of Object.prototype are keys like any other', () => {
  for (const key of ['__proto__', 'constructor', 'toString']) {
    const [, line] = failure(`data: d\n${key}: 1\n`);
    assert.match(line!, new RegExp(`a\\.yaml:2:1: ${key}: unknown key`));
    assert.match(failure('data: d', setLayer(`${key}.x=1`, '/c'))[1]!, /unknown key/);
  }
  assert.equal(({} as Record<string, unknown>).x, undefined);
});

test('a cross-field rule keeps its own words', () => {
  const rule = z.strictObject({ a: z.number(), b: z.number() }).superRefine((value, context) => {
    if (value.a > value.b) context.addIssue({ code: 'custom', path: ['a'], message: 'must not exceed b' });
  });
  assert.throws(() => resolveConfig(rule, [yaml('a: 2\nb: 1')], 's'), /a\.yaml:1:4: a: must not exceed b/);
});

test('settings without a file', () => {
  assert.throws(
    () => resolveConfig(schema, [flagLayer('epochs', 'epochs', 3, '/c')], 'pretrain'),
    /data: missing/,
  );
});
