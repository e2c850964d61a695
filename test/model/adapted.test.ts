import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { z } from 'zod';
import { selectBackend } from '../../src/compute/select.js';
import {
  adaptedBy,
  adaptedModel,
  adaptedNames,
  adapterInits,
  adapterSchema,
  isAdapter,
  merged,
} from '../../src/model/adapted.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { modelScorer } from '../../src/model/scorer.js';
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
  const adapter = adapterInits(own, config, new Random(2));
  const rng = new Random(3);
  if (random)
    for (const [name, init] of adapter)
      adapter.set(name, { ...init, data: init.data.map(() => 0.3 * rng.normal()) });
  const inits = new Map([...own, ...adapter]);
  const adapted = adaptedModel(model, config, adaptedNames(own, config));
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

describe('adapters', () => {
  const ways: z.input<typeof adapterSchema>[] = [
    { kind: 'lora' },
    { kind: 'bias' },
    { kind: 'lora', target: ['item.embedding', 'blocks'] },
  ];
  for (const settings of ways) {
    const kind = Object.values(settings).join(' ');
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
        adaptedBy(tensorsOf(adapter)).sort(),
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
    for (const bad of [{ target: ['blocks.7'] }, { rank: 8 }])
      assert.throws(() => adaptedNames(inits, adapterSchema.parse(bad)), /adapter: no matrix/);
    assert.ok(
      [...adapterInits(inits, adapterSchema.parse({ rank: 2 }), new Random(1)).keys()].every(isAdapter),
    );
  });
});
