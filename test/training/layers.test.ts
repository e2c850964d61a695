import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adapterInits, adapterSchema } from '../../src/model/adapted.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { Random } from '../../src/random.js';
import { layerPlan, layerRates, layersOf } from '../../src/training/layers.js';
import { onBackend } from '../suites/backends.js';
import { richCatalogue } from '../suites/fixtures.js';

const CATALOGUE = richCatalogue(6, 10);

const modelOf = (config: object) => createModel(modelSchema.parse(config), CATALOGUE);
const namesOf = (config: object): string[] =>
  [...modelOf(config).init(new Random(1))].filter(([, { fixed }]) => !fixed).map(([name]) => name);

/** The layers' parameters by their first parts, from the top. */
function roomsOf(config: object, names = namesOf(config)): string[][] {
  return layersOf(modelOf(config), names, 'rateDecay').map((layer) =>
    [
      ...new Set(
        layer.names.map((name) =>
          name
            .split('.')
            .slice(0, /\.\d/.test(name) ? 2 : 1)
            .join('.'),
        ),
      ),
    ].sort(),
  );
}

onBackend('cpu', 'layers of a model', () => {
  const inputs = ['behaviour', 'item', 'position', 'start'];

  test('from the top: the head with the topmost block, the blocks below, what is embedded', () => {
    const transformer = { name: 'transformer', width: 4, depth: 3, heads: 1 };
    assert.deepEqual(roomsOf(transformer), [['blocks.2', 'norm'], ['blocks.1'], ['blocks.0'], inputs]);
    assert.deepEqual(roomsOf({ ...transformer, depth: 1, tied: false, outputBias: true }), [
      ['blocks.0', 'norm', 'output'],
      inputs,
    ]);
    assert.deepEqual(roomsOf({ ...transformer, depth: 2, sharedBlocks: true }), [
      ['blocks.0', 'blocks.1', 'norm'],
      inputs,
    ]);
    assert.deepEqual(roomsOf({ name: 'gru', width: 4, depth: 2, hidden: 6 }), [
      ['layers.1', 'projection'],
      ['layers.0'],
      ['behaviour', 'item'],
    ]);
    assert.deepEqual(roomsOf({ name: 'two-tower', width: 4, hidden: [8] }), [
      ['itemTower.1', 'userTower.1'],
      ['itemTower.0', 'userTower.0'],
      ['item', 'recency', 'user'],
    ]);
    for (const name of ['mlp', 'fast-weights'])
      assert.deepEqual(roomsOf({ name, width: 4, hidden: [6, 5] }), [
        ['hidden.1', 'logit'],
        ['hidden.0'],
        name === 'mlp' ? ['item', 'user'] : ['item', 'user'],
      ]);
    assert.deepEqual(roomsOf({ name: 'linear', width: 4 }), [['output'], ['item', 'recency', 'user']]);
  });

  test('every parameter that trains is in one layer, and an adapter’s in that of what it is added to', () => {
    const config = { name: 'transformer', width: 8, depth: 2 };
    const names = namesOf(config);
    const layers = layersOf(modelOf(config), names, 'rateDecay');
    assert.deepEqual(layers.flatMap((layer) => layer.names).sort(), [...names].sort());
    const model = modelOf(config);
    const base = {
      model,
      config: modelSchema.parse(config),
      catalogue: CATALOGUE,
      inits: model.init(new Random(1)),
    };
    const adapter = [...adapterInits(base, adapterSchema.parse({ rank: 2 }), new Random(2)).keys()];
    const adapted = layersOf(modelOf(config), adapter, 'rateDecay');
    assert.deepEqual(
      adapted.map(({ depth, names: [first] }) => [depth, first]),
      [
        [0, 'adapter/blocks.1.attention.query/down'],
        [1, 'adapter/blocks.0.attention.query/down'],
      ],
    );
  });

  test('what is frozen leaves the depth of the rest as it is; one layer alone is refused with what there is', () => {
    const config = { name: 'transformer', width: 4, depth: 2, heads: 1 };
    const names = namesOf(config).filter((name) => !name.startsWith('blocks.0'));
    assert.deepEqual(
      layersOf(modelOf(config), names, 'rateDecay').map(({ depth }) => depth),
      [0, 2],
    );
    for (const [model, found] of [
      [{ name: 'fold-in', width: 4 }, /rateDecay: .*fold-in is one layer.*item\.embedding/],
      [{ name: 'sparse-linear', neighbours: 3 }, /rateDecay: .*sparse-linear is one layer.*item\.weights/],
    ] as const)
      assert.throws(() => layersOf(modelOf(model), namesOf(model), 'rateDecay'), {
        code: 'CONFIG_INVALID',
        message: found,
      });
    assert.throws(() => layersOf(modelOf(config), ['norm.gain'], 'unfreeze'), /unfreeze: .*\(norm\.gain\)/);
  });

  test('rates fall from layer to layer; layers begin one after the other, each with a count of its own', () => {
    const layers = [0, 1, 3].map((depth) => ({ depth, names: [] }));
    const at = (epoch: number, unfreeze = 2) => layerRates(layers, { rateDecay: 0.5, unfreeze }, epoch, 10);
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((epoch) => at(epoch).map(({ share }) => share)),
      [
        [1, 0, 0],
        [1, 0, 0],
        [1, 0.5, 0],
        [1, 0.5, 0],
        [1, 0.5, 0.125],
      ],
    );
    assert.deepEqual(
      at(9).map(({ since }) => since),
      [0, 20, 40],
    );
    assert.deepEqual(at(0, 0), [
      { share: 1, since: 0 },
      { share: 0.5, since: 0 },
      { share: 0.125, since: 0 },
    ]);
  });

  test('nothing is planned where all learn alike; a layer that would never begin is refused', () => {
    const config = { name: 'transformer', width: 4, depth: 2, heads: 1 };
    const plan = (rateDecay: number, unfreeze: number, epochs = 5) =>
      layerPlan(modelOf(config), namesOf(config), { rateDecay, unfreeze }, epochs);
    assert.equal(plan(1, 0), undefined);
    assert.equal(plan(0.5, 0)!.grace, 0);
    const { grace, groups } = plan(1, 2)!;
    assert.deepEqual([grace, groups.count], [4, 3]);
    assert.deepEqual(
      ['norm.gain', 'blocks.1.norm1.gain', 'blocks.0.norm1.gain', 'item.embedding'].map(groups.of),
      [0, 0, 1, 2],
    );
    assert.throws(() => plan(1, 2, 4), {
      code: 'CONFIG_INVALID',
      message: /3 layers the lowest would begin after epoch 4, and there are 4/,
    });
  });
});
