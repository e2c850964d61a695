import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { z } from 'zod';
import { type ParameterInits, ParameterStore } from '../../src/compute/parameters.js';
import { selectBackend } from '../../src/compute/select.js';
import {
  type Adaptable,
  adaptedModel,
  adaptedNames,
  adapterInits,
  adapterSchema,
  checkedAdapter,
  isAdapter,
  merged,
} from '../../src/model/adapted.js';
import { pruneStructure } from '../../src/model/pruning/structured.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { modelScorer, paramsScorer } from '../../src/model/scorer.js';
import { CachedParams } from '../../src/online/cached-params.js';
import { Random } from '../../src/random.js';
import { tensorsOf } from '../../src/training/supervised.js';
import type { Query } from '../../src/types.js';
import { largestGap } from '../suites/assertions.js';
import { richCatalogue } from '../suites/fixtures.js';

const CATALOGUE = richCatalogue(3, 12);
const CONFIG = modelSchema.parse({ name: 'transformer', width: 8, length: 6, userAttributes: true });
const QUERY: Query = { user: 1, items: Int32Array.of(3, 7, 5), behaviours: Uint8Array.of(0, 1, 0) };

before(() => selectBackend('cpu'));

/** A model, an adapter of it with weights of its own, and the scores of both ways to use it. */
async function scored(settings: z.input<typeof adapterSchema>, random: boolean) {
  const config = adapterSchema.parse(settings);
  const model = createModel(CONFIG, CATALOGUE);
  const own = model.init(new Random(1));
  const restored = { model, config: CONFIG, catalogue: CATALOGUE, inits: own };
  const adapter = adapterInits(restored, config, new Random(2));
  const rng = new Random(3);
  if (random)
    for (const [name, init] of adapter)
      adapter.set(name, { ...init, data: init.data.map(() => 0.3 * rng.normal()) });
  const inits = new Map([...own, ...adapter]);
  const adapted = adaptedModel(restored, config);
  const scores = async (of: typeof model, with_: typeof inits) => {
    const scorer = modelScorer({ model: of, config: CONFIG, catalogue: CATALOGUE, inits: with_ });
    const values = await scorer.score([QUERY]);
    scorer.dispose();
    return values.slice(1);
  };
  const base = tensorsOf(own);
  const whole = merged(tensorsOf(inits), tensorsOf(adapter), config);
  const filled = new Map(
    [...own].map(([name, init]) => [name, { ...init, data: whole.get(name)!.data as Float32Array }]),
  );
  return {
    ...{ config, adapter, base, whole },
    plain: await scores(model, own),
    beside: await scores(adapted, inits),
    within: await scores(model, filled),
  };
}

async function scoresOf(of: Adaptable, more: ParameterInits): Promise<Float32Array> {
  const scorer = modelScorer({ ...of, inits: new Map([...of.inits, ...more]) });
  const values = await scorer.score([QUERY]);
  scorer.dispose();
  return values.slice(1);
}

describe('adapters', () => {
  const ways: z.input<typeof adapterSchema>[] = [
    { kind: 'lora' },
    { kind: 'bias' },
    { kind: 'lora', target: ['item.embedding', 'blocks'] },
    { kind: 'lora', biases: true },
  ];
  for (const settings of ways) {
    const kind = `${settings.kind}${settings.target ? ` of ${settings.target.join(' and ')}` : ''}${settings.biases ? ' with biases' : ''}`;
    test(`${kind}: adds nothing at first`, async () => {
      const { plain, beside } = await scored({ ...settings, rank: 2 }, false);
      assert.ok(largestGap(beside, plain) < 1e-6, 'the same within 1e-6');
    });

    test(`${kind}: beside the weights or merged into them it scores alike, and comes out again`, async () => {
      const { plain, beside, within, whole, base, adapter, config } = await scored(
        { ...settings, rank: 2 },
        true,
      );
      assert.ok(
        plain.some((score, i) => Math.abs(score - beside[i]!) > 1e-3),
        'it changes the scores',
      );
      assert.ok(largestGap(within, beside) < 1e-4, 'the same within 1e-4');
      const back = merged(whole, tensorsOf(adapter), config, -1);
      assert.deepEqual([...back.keys()], [...base.keys()]);
      for (const [name, { data }] of base)
        assert.ok(
          largestGap(back.get(name)!.data as Float32Array, data as Float32Array) < 1e-5,
          'the same within 1e-5',
        );
      assert.deepEqual(
        adaptedNames(createModel(CONFIG, CATALOGUE).init(new Random(1)), config).sort(),
        [...base]
          .filter(([name, { data }]) => whole.get(name)!.data.some((x, i) => x !== data[i]))
          .map(([name]) => name)
          .sort(),
      );
    });
  }

  test('weight matrices of the blocks alone, no embedding; what a target leaves out stays', () => {
    const inits = createModel(CONFIG, CATALOGUE).init(new Random(1));
    const all = adaptedNames(inits, adapterSchema.parse({ rank: 2 }));
    assert.ok(all.length > 4 && all.every((name) => !/embedding|token/.test(name)), all.join());
    const one = adaptedNames(inits, adapterSchema.parse({ rank: 2, target: ['blocks.1'] }));
    assert.ok(one.length > 0 && one.every((name) => name.startsWith('blocks.1.')));
    const biases = adaptedNames(inits, adapterSchema.parse({ kind: 'bias' }));
    assert.ok(biases.every((name) => inits.get(name)!.shape.length === 1));
    const both = adaptedNames(inits, adapterSchema.parse({ rank: 2, biases: true }));
    assert.deepEqual(both.sort(), [...all, ...biases].sort(), 'matrices, and biases beside them');
    assert.throws(() => adapterSchema.parse({ kind: 'bias', biases: true }), /`biases` is for lora/);
    for (const bad of [{ target: ['blocks.7'] }, { rank: 8 }])
      assert.throws(() => adaptedNames(inits, adapterSchema.parse(bad)), /adapter: no matrix/);
    const lora = adapterSchema.parse({ rank: 2 });
    const base = { model: createModel(CONFIG, CATALOGUE), config: CONFIG, catalogue: CATALOGUE, inits };
    const names = [...adapterInits(base, lora, new Random(1)).keys()];
    assert.ok(names.length > 0 && names.every((name) => isAdapter(name, lora)));
  });
});

describe('bottlenecks', () => {
  const config = adapterSchema.parse({ kind: 'bottleneck', rank: 3 });
  const model = createModel(CONFIG, CATALOGUE);
  const base = { model, config: CONFIG, catalogue: CATALOGUE, inits: model.init(new Random(1)) };

  test('two a block, of the rank in the middle; not in a model that has some, or has no blocks', () => {
    const shapes = [...adapterInits(base, config, new Random(2))].map(
      ([name, { shape }]) => `${name} ${shape}`,
    );
    const of = (name: string): string[] => [
      `${name}.down 8,3`,
      `${name}.downBias 3`,
      `${name}.up 3,8`,
      `${name}.upBias 8`,
    ];
    const names = ['0.bottleneck1', '0.bottleneck2', '1.bottleneck1', '1.bottleneck2'];
    assert.deepEqual(shapes.sort(), names.flatMap((name) => of(`blocks.${name}`)).sort());
    const deeper = modelSchema.parse({ ...CONFIG, bottleneck: 3 });
    const wanted = { code: 'CONFIG_INVALID', message: /has bottlenecks already/ };
    assert.throws(() => adapterInits({ ...base, config: deeper }, config, new Random(2)), wanted);
    const gru = { ...base, config: modelSchema.parse({ name: 'gru' }) };
    assert.throws(() => adaptedModel(gru, config), { code: 'CONFIG_INVALID', message: /gru has none/ });
    assert.throws(() => adapterSchema.parse({ kind: 'bottleneck', target: ['blocks.0'] }), /every block/);
  });

  test('read beside a base they score as in a checkpoint of their own, and the base alone at first', async () => {
    const rng = new Random(3);
    const first = adapterInits(base, config, new Random(2));
    const trained = new Map(
      [...first].map(([name, init]) => [name, { ...init, data: init.data.map(() => 0.3 * rng.normal()) }]),
    );
    const deeper = modelSchema.parse({ ...CONFIG, bottleneck: 3 });
    const alone = await scoresOf({ ...base, config: deeper, model: createModel(deeper, CATALOGUE) }, trained);
    const plain = await scoresOf(base, new Map());
    assert.ok(
      largestGap(await scoresOf({ ...base, model: adaptedModel(base, config) }, first), plain) < 1e-6,
    );
    assert.ok(largestGap(alone, plain) > 1e-2, 'trained they change the scores');
    const checked = checkedAdapter({ path: 'a', config, tensors: tensorsOf(trained) }, base);
    const own = new ParameterStore(new Map(), checked.tensors);
    const store = new ParameterStore(base.inits, base.model.constants(), { sparseTables: true });
    // As the service reads them.
    const params = new CachedParams(store);
    const served = paramsScorer(adaptedModel(base, config, own.reader()), params, 12, 'a');
    const beside = (await served.score([QUERY])).slice(1);
    params.refresh();
    store.dispose();
    own.dispose();
    assert.ok(largestGap(beside, alone) < 1e-6);
    const less = tensorsOf(new Map([...trained].slice(1)));
    assert.throws(() => checkedAdapter({ path: 'a', config, tensors: less }, base), {
      code: 'CHECKPOINT_DAMAGED',
    });
  });

  test('structured pruning takes the width of the model off them, and leaves theirs', async () => {
    const wider = modelSchema.parse({ ...CONFIG, bottleneck: 3 });
    const deeper = createModel(wider, CATALOGUE);
    const inits = deeper.init(new Random(1));
    const pruned = pruneStructure({ ...base, config: wider, inits }, ['width', 'layers'], 0.5);
    assert.deepEqual(pruned.inits.get('blocks.0.bottleneck2.down')!.shape, [4, 3]);
    assert.deepEqual(pruned.inits.get('blocks.0.bottleneck2.up')!.shape, [3, 4]);
    const skeleton = createModel(pruned.config, CATALOGUE).init(new Random(0));
    assert.deepEqual([...pruned.inits.keys()].sort(), [...skeleton.keys()].sort());
  });
});
