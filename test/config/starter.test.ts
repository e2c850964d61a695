import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { path } from '../../src/config/fields.js';
import { yamlLayer } from '../../src/config/layers.js';
import { resolveConfig } from '../../src/config/load.js';
import { shapeOf } from '../../src/config/shape.js';
import { starterYaml } from '../../src/config/starter.js';
import { parseYaml } from '../../src/config/yaml.js';

const schema = z.strictObject({
  data: path('where the data is'),
  epochs: z.int().min(1).default(10).describe('passes over the data'),
  inner: z
    .strictObject({
      rate: z.number().default(0.5).describe('how fast'),
      names: z.array(z.string()).default(['a']),
    })
    .prefault({})
    .describe('inner settings'),
  kind: z.enum(['one', 'two']).default('two'),
});
const yaml = starterYaml('stage', shapeOf(schema));

test('a starter lists every key with its description and default', () => {
  assert.match(yaml, /# where the data is; required\ndata: \.\/…/);
  assert.match(yaml, /# passes over the data\n#epochs: 10/);
  assert.match(yaml, /# inner settings\n#inner:\n\n {2}# how fast\n# {2}rate: 0\.5/);
  assert.match(yaml, /# one of one, two\n#kind: two/);
});

test('a starter is valid as it stands, and with every key uncommented', () => {
  const defaults = { epochs: 10, inner: { rate: 0.5, names: ['a'] }, kind: 'two' };
  for (const text of [yaml, yaml.replaceAll(/^#( *\w+:)/gm, '$1')]) {
    const { config } = resolveConfig(schema, [yamlLayer(parseYaml(text, 's'), '/base')], 'stage');
    assert.deepEqual(config, { data: '/base/…', ...defaults });
  }
});
