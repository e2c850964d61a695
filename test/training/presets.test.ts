import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { flagLayer, type Layer, yamlLayer } from '../../src/config/layers.js';
import { resolveConfig } from '../../src/config/load.js';
import { parseYaml } from '../../src/config/yaml.js';
import { createModel } from '../../src/model/registry.js';
import { Random } from '../../src/random.js';
import { PRESET_NAMES, PRESETS } from '../../src/training/presets.js';
import { pretrainSchema } from '../../src/training/pretrain.js';
import { catalogueOf } from '../suites/fixtures.js';

const data = flagLayer('data', 'data', 'given', '/');
const yaml = (text: string): Layer => yamlLayer(parseYaml(text, 'pretrain.yaml'), '/');
const settings = (...layers: Layer[]) => resolveConfig(pretrainSchema, [...layers, data], 'pretrain').config;

describe('presets', () => {
  for (const name of PRESET_NAMES) {
    test(`${name} is complete settings of pretrain, and a model can be made of it`, () => {
      const config = settings(yaml(`preset: ${name}`));
      const { model, optimizer, validation, ...others } = PRESETS[name];
      for (const [part, given] of Object.entries({ model, optimizer, validation })) {
        const found = config[part as 'model' | 'optimizer' | 'validation'];
        assert.deepEqual({ ...found, ...given }, found, part);
      }
      assert.deepEqual({ ...config, ...others }, config);
      const inits = createModel(config.model, catalogueOf(2, 3)).init(new Random(1));
      assert.ok(inits.has('blocks.1.attention.query'));
    });
  }

  test('lie under the YAML, --set and flags, key by key, and above the defaults', () => {
    const written = yaml('preset: sasrec-ce\nmodel: { width: 32 }\nepochs: 3');
    const config = settings(written, flagLayer('set', 'model.dropout', 0.5, '/'));
    assert.ok(config.model.name === 'transformer');
    const { width, dropout, length, heads, attention } = config.model;
    assert.deepEqual([width, dropout, length, heads, attention], [32, 0.5, 200, 1, 'softmax']);
    assert.deepEqual([config.epochs, config.batchSize, config.loss, config.seed], [3, 128, 'softmax', 42]);
  });

  test('by a flag win over the preset of the YAML', () => {
    const config = settings(yaml('preset: sasrec'), flagLayer('preset', 'preset', 'gsasrec', '/'));
    assert.deepEqual([config.preset, config.loss, config.negatives], ['gsasrec', 'gbce', 256]);
  });

  test('an unknown name is refused with its place and the nearest one', () => {
    assert.throws(() => settings(yaml('epochs: 3\npreset: sasrek')), {
      code: 'CONFIG_INVALID',
      message: /pretrain\.yaml:2:9: preset: expected .*found "sasrek"; did you mean "sasrec"\?/,
    });
  });

  test('what contradicts a preset is named as its key; missing keys are still the YAML’s', () => {
    assert.throws(() => settings(yaml('preset: sasrec\nmodel: { name: linear }')), {
      message: /preset sasrec: model\.heads: unknown key/,
    });
    const bare = yaml('preset: sasrec');
    assert.throws(() => resolveConfig(pretrainSchema, [bare], 'pretrain'), {
      message: /pretrain\.yaml:1:1: data: missing/,
    });
  });

  test('without one nothing changes', () => {
    const config = settings(yaml('{}'));
    assert.equal(config.preset, undefined);
    assert.deepEqual(config, pretrainSchema.parse({ data: '/given' }));
  });
});
