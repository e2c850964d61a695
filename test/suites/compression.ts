import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ParameterInits } from '../../src/compute/parameters.js';
import { anatomyOf, partsOf } from '../../src/model/pruning/anatomy.js';
import { countNonZero, pruneMagnitude } from '../../src/model/pruning/magnitude.js';
import type { PartName } from '../../src/model/pruning/parts.js';
import { pruneStructure } from '../../src/model/pruning/structured.js';
import { createModel, type ModelConfig } from '../../src/model/registry.js';
import { restoreModel } from '../../src/model/restore.js';
import { modelScorer } from '../../src/model/scorer.js';
import { Random } from '../../src/random.js';
import { pack } from '../../src/storage/quantization.js';
import { tensorsOf } from '../../src/training/supervised.js';
import type { Query, StoredMap } from '../../src/types.js';
import { assertClose } from './assertions.js';
import { withNoise } from './fixtures.js';
import { CATALOGUE, ITEMS } from './gradients.js';

const QUERIES: readonly Query[] = [
  { user: 1, items: Int32Array.of(1, 2, 3), behaviours: Uint8Array.of(0, 1, 0) },
  { user: 0, items: Int32Array.of(9), behaviours: Uint8Array.of(1) },
  { user: 3, items: Int32Array.of(4, 8, 2, 6, 5, 1), behaviours: Uint8Array.of(0, 0, 1, 0, 1, 0) },
  { user: 2, items: new Int32Array(0), behaviours: new Uint8Array(0) },
].map((query) => ({ ...query, times: Float64Array.from(query.items, (_, n) => 5e7 * n ** 2) }));

/** Scores of the items, padding left out, as a checkpoint with these tensors gives them. */
async function scoresOf(config: ModelConfig, tensors: StoredMap): Promise<Float32Array> {
  const manifest = { model: { config: JSON.parse(JSON.stringify(config)) as unknown } };
  const scorer = modelScorer(restoreModel({ path: 'stored', manifest, tensors, catalogue: CATALOGUE }));
  const scores = await scorer.score(QUERIES);
  scorer.dispose();
  return scores.filter((_, i) => i % (ITEMS + 1) !== 0);
}

/** Share of item pairs, over queries, that two scorers put in the same order. */
function agreement(a: Float32Array, b: Float32Array): number {
  let same = 0;
  let pairs = 0;
  for (let q = 0; q < a.length; q += ITEMS) {
    for (let i = q; i < q + ITEMS; i++) {
      for (let j = q; j < i; j++) {
        pairs++;
        if (a[i]! > a[j]! === b[i]! > b[j]!) same++;
      }
    }
  }
  return same / pairs;
}

/** The first positions of a part's dimensions, or the first blocks' outputs, set to 0. */
function emptied(config: ModelConfig, inits: ParameterInits, part: PartName): ParameterInits {
  const { axes, parts, layers } = anatomyOf(config);
  return new Map(
    [...inits].map(([name, init]) => {
      const data = Float32Array.from(init.data);
      if (part === 'layers') {
        if (layers?.outputs.some((output) => name === layers.prefix(0) + output)) data.fill(0);
        return [name, { ...init, data }];
      }
      for (const [axis, along] of axes(name).entries()) {
        const size = along === undefined ? undefined : parts[part]!.dimensions.get(along);
        if (size === undefined) continue;
        const inner = init.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
        const block = (inner * init.shape[axis]!) / size;
        for (let i = 0; i < data.length; i++) if (Math.floor(i / block) % size === 0) data[i] = 0;
      }
      return [name, { ...init, data }];
    }),
  );
}

/**
 * Whether what is 0 plays no part: a norm over the width counts how many dimensions there are, a gated residual what it is given; and
 * vectors of events are multiplied by the root of the width.
 */
function isNeutral(config: ModelConfig, part: string): boolean {
  if (config.name === 'gru') return part !== 'width';
  if (config.name !== 'transformer') return true;
  if (part === 'width') return false;
  return part !== 'heads' || config.attention !== 'gated';
}

/** What compression must do to every model. */
export function compressionContract(config: ModelConfig): void {
  const inits = withNoise(createModel(config, CATALOGUE).init(new Random(7)), 11);
  const whole = tensorsOf(inits);
  const anatomy = anatomyOf(config);
  const sizesOf = (part: PartName): number[] =>
    part === 'layers' ? [anatomy.layers!.count] : [...anatomy.parts[part]!.dimensions.values()];

  test('a float16 copy scores within its precision, an int8 copy ranks nearly the same', async () => {
    const scores = await scoresOf(config, whole);
    assertClose(await scoresOf(config, pack(whole, 'float16')), scores, 'float16', 0.01, 0.01);
    const agreed = agreement(await scoresOf(config, pack(whole, 'int8')), scores);
    assert.ok(agreed >= 0.95, `${agreed} of the pairs in the same order`);
  });

  test('pruned by magnitude: the share is 0, what was largest stays, and it still scores', async () => {
    const { inits: sparse, pruned } = pruneMagnitude(inits, 0.5);
    assert.ok(pruned.size > 0);
    for (const [name, { data }] of sparse) {
      const before = inits.get(name)!.data;
      if (!pruned.has(name)) assert.deepEqual(data, before, name);
      else {
        assert.equal(countNonZero([{ data }]), Math.ceil(data.length / 2), name);
        const kept = data.filter((weight) => weight !== 0).map(Math.abs);
        const gone = before.filter((_, i) => data[i] === 0).map(Math.abs);
        assert.ok(Math.min(...kept) >= Math.max(...gone), name);
      }
    }
    assert.ok((await scoresOf(config, tensorsOf(sparse))).every(Number.isFinite));
  });

  test('every axis that a part has is named: the smaller model is built and restored', async () => {
    for (const part of partsOf(anatomy)) {
      if (Math.min(...sizesOf(part)) < 2) {
        assert.throws(() => pruneStructure({ config, inits }, [part], 0.5), {
          code: 'CONFIG_INVALID',
          message: new RegExp(`the model has 1 of its ${part}, and one has to stay`),
        });
        continue;
      }
      const smaller = pruneStructure({ config, inits }, [part], 0.5);
      const scores = await scoresOf(smaller.config, tensorsOf(smaller.inits));
      assert.ok(scores.every(Number.isFinite), part);
      const count = (of: ParameterInits) => [...of.values()].reduce((sum, { data }) => sum + data.length, 0);
      assert.ok(count(smaller.inits) < count(inits), part);
    }
  });

  for (const part of partsOf(anatomy)) {
    const skip = !isNeutral(config, part) || Math.min(...sizesOf(part)) < 2;
    test(`${part}: what weighs nothing goes, and no score changes`, { skip }, async () => {
      const empty = emptied(config, inits, part);
      const smaller = pruneStructure({ config, inits: empty }, [part], 1e-6);
      assert.notDeepEqual(smaller.config, config);
      const before = await scoresOf(config, tensorsOf(empty));
      // On tensor backends a shorter sum may be added up in another order.
      assertClose(await scoresOf(smaller.config, tensorsOf(smaller.inits)), before, part, 1e-5, 1e-5);
    });
  }
}
