import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { INFERENCE } from '../../src/compute/dropout.js';
import { ParameterStore } from '../../src/compute/parameters.js';
import { createModel, modelSchema } from '../../src/model/registry.js';
import { paramsScorer } from '../../src/model/scorer.js';
import { Random } from '../../src/random.js';
import { assertClose } from '../suites/assertions.js';
import { onBackend } from '../suites/backends.js';
import { catalogueOf, richCatalogue, withNoise } from '../suites/fixtures.js';

const small = { name: 'transformer', width: 4, length: 3 };
const parametersOf = (config: object, catalogue = catalogueOf(3, 4)) =>
  createModel(modelSchema.parse({ ...small, ...config }), catalogue).init(new Random(7));

const BLOCK = [
  'norm1.gain',
  'norm1.bias',
  'attention.query',
  'attention.key',
  'attention.value',
  'attention.output',
  'attention.bias',
  'norm2.gain',
  'norm2.bias',
  'feedForward.in',
  'feedForward.inBias',
  'feedForward.out',
  'feedForward.outBias',
];

onBackend('cpu', 'the transformer of the defaults', () => {
  const rich = richCatalogue(3, 4);
  const config = { outputBias: true, userAttributes: true };

  test('has the parameters, in the order of their random numbers, that checkpoints of earlier versions have', () => {
    assert.deepEqual(
      [...parametersOf(config, rich).keys()],
      [
        ...['item.embedding', 'item.tokens', 'item.numbers', 'user.tokens', 'user.numbers', 'output.bias'],
        ...['start', 'position.embedding', 'behaviour.embedding'],
        ...[0, 1].flatMap((n) => BLOCK.map((name) => `blocks.${n}.${name}`)),
        ...['norm.gain', 'norm.bias'],
      ],
    );
  });

  test('sharedBlocks: later blocks have norms of their own and nothing else, and each of those counts', async () => {
    const config = { depth: 3, sharedBlocks: true };
    const norms = BLOCK.filter((name) => name.startsWith('norm'));
    const inits = withNoise(parametersOf(config), 11);
    const names = [...inits.keys()].filter((name) => name.startsWith('blocks.'));
    assert.deepEqual(names, [
      ...BLOCK.map((name) => `blocks.0.${name}`),
      ...[1, 2].flatMap((n) => norms.map((name) => `blocks.${n}.${name}`)),
    ]);
    const model = createModel(modelSchema.parse({ ...small, ...config }), catalogueOf(3, 4));
    const scores = async (changed?: string): Promise<number[]> => {
      const values = new Map(inits);
      const one = changed === undefined ? undefined : inits.get(changed)!;
      if (one) values.set(changed!, { ...one, data: one.data.map((x) => x + 1) });
      const store = new ParameterStore(values, model.constants());
      const history = { user: 0, items: Int32Array.of(1, 2), behaviours: Uint8Array.of(0, 0) };
      const all = await paramsScorer(model, store.reader(), 4, 'shared').score([history]);
      store.dispose();
      return [...all.slice(1)];
    };
    const before = await scores();
    for (const n of [0, 1, 2])
      assert.notDeepEqual(await scores(`blocks.${n}.norm2.gain`), before, `blocks.${n}.norm2.gain`);
  });

  test('scores as it did when these numbers were written down', async () => {
    const model = createModel(modelSchema.parse({ ...small, ...config }), rich);
    const store = new ParameterStore(withNoise(parametersOf(config, rich), 11), model.constants());
    const scores = await paramsScorer(model, store.reader(), 4, 'then').score([
      { user: 1, items: Int32Array.of(1, 2), behaviours: Uint8Array.of(0, 1) },
      { user: 0, items: new Int32Array(0), behaviours: new Uint8Array(0) },
    ]);
    store.dispose();
    const expected = [-1e9, 0.3439955, 1.3265998, 0.6403307, -0.4623876];
    expected.push(-1e9, 0.4444674, 0.4106233, 0.836403, -0.8214111);
    assertClose(scores, expected, 'scores');
  });
});

describe('parts of the transformer bring their own parameters', () => {
  const added = (config: object, without: object = {}): string[] => {
    const before = new Set(parametersOf(without).keys());
    return [...parametersOf(config).keys()].filter((name) => !before.has(name) && !/blocks\.1/.test(name));
  };
  for (const [config, names] of [
    [{ relativePosition: true }, ['blocks.0.attention.relative']],
    [{ relativeTime: true }, ['blocks.0.attention.time']],
    [
      { attention: 'gated' },
      ['blocks.0.attention.gate', 'blocks.0.attention.norm.gain', 'blocks.0.attention.norm.bias'],
    ],
    [{ feedForwardKind: 'swiglu' }, ['blocks.0.feedForward.gate']],
    [{ feedForwardKind: 'gelu' }, []],
    [
      { residual: 'gated' },
      ['residual1.gate', 'residual1.bias', 'residual2.gate', 'residual2.bias'].map((n) => `blocks.0.${n}`),
    ],
    [{ tied: false }, ['output.embedding']],
    [{ direction: 'both' }, ['mask']],
    [{ similarity: 'cosine' }, []],
  ] as const)
    test(JSON.stringify(config), () => assert.deepEqual(added(config), names));

  test('times do not go with hidden items, whose times would tell of them', () => {
    const parsed = modelSchema.safeParse({ ...small, direction: 'both', relativeTime: true });
    assert.match(String(parsed.error), /relativeTime[\s\S]*hidden event/);
  });

  test('and leave out what they do not need', () => {
    const has = (config: object, name: string): boolean => parametersOf(config).has(name);
    assert.ok(!has({ norm: 'rms' }, 'norm.bias') && !has({ norm: 'rms' }, 'blocks.0.norm1.bias'));
    assert.ok(!has({ feedForwardKind: 'none' }, 'blocks.0.norm2.gain'));
    assert.ok(!has({ feedForwardKind: 'swiglu' }, 'blocks.0.feedForward.inBias'));
  });
});

onBackend('cpu', 'a transformer that sees both sides', () => {
  const model = createModel(modelSchema.parse({ ...small, length: 4, direction: 'both' }), catalogueOf(3, 4));
  const using = <T>(work: (states: (items: number[], masked?: number[]) => Float32Array) => T): T => {
    const store = new ParameterStore(withNoise(model.init(new Random(7)), 3), model.constants());
    const states = (items: number[], masked?: number[]): Float32Array =>
      tf.tidy(() => {
        const row = (values: number[]): tf.Tensor2D => tf.tensor2d([values], [1, 4], 'int32');
        const batch = { users: tf.tensor1d([1], 'int32'), items: row(items), behaviours: row([1, 1, 1, 1]) };
        const given = masked ? { ...batch, masked: row(masked) } : batch;
        return Float32Array.from(model.encode(store.reader(), given, INFERENCE).states.dataSync());
      });
    try {
      return work(states);
    } finally {
      store.dispose();
    }
  };
  const at = (states: Float32Array, position: number): number[] => [
    ...states.slice(4 * position, 4 * position + 4),
  ];

  test('what is hidden is not seen, and what stands after it is', () =>
    using((states) => {
      const one = at(states([1, 2, 3, 4], [0, 1, 0, 0]), 1);
      assert.deepEqual(at(states([1, 4, 3, 4], [0, 1, 0, 0]), 1), one, 'the hidden item');
      assert.notDeepEqual(at(states([1, 2, 3, 1], [0, 1, 0, 0]), 1), one, 'an item after it');
      assert.notDeepEqual(at(states([2, 2, 3, 4], [0, 1, 0, 0]), 1), one, 'an item before it');
    }));

  test('without hidden items the state is that of one after the newest; the oldest makes room for it', () =>
    using((states) => {
      const next = [...states([1, 2, 3, 4])];
      assertClose(at(states([2, 3, 4, 1], [0, 0, 0, 1]), 3), next, 'state');
      assert.equal(next.length, 4);
    }));
});

onBackend('cpu', 'cosine similarity', () => {
  test('a score is the cosine over the temperature, whatever the vectors’ lengths; candidates agree', () => {
    const temperature = 0.05;
    const config = modelSchema.parse({ ...small, similarity: 'cosine', temperature });
    const model = createModel(config, catalogueOf(3, 4));
    const inits = withNoise(model.init(new Random(7)), 3);
    const long = inits.get('item.embedding')!;
    inits.set('item.embedding', {
      ...long,
      data: long.data.map((v, i) => v * (i < 8 ? 1 : 10)),
    });
    const store = new ParameterStore(inits, model.constants());
    tf.tidy(() => {
      const params = store.reader();
      const batch = {
        users: tf.tensor1d([1], 'int32'),
        items: tf.tensor2d([[1, 2, 3]], [1, 3], 'int32'),
        behaviours: tf.tensor2d([[1, 1, 1]], [1, 3], 'int32'),
      };
      const { states, layers } = model.encode(params, batch, INFERENCE);
      const last = tf.reshape(tf.slice(states, [0, 2, 0], [1, 1, 4]), [1, 4]) as tf.Tensor2D;
      const lengths = tf.norm(states, 2, -1).dataSync();
      assertClose(lengths, [20, 20, 20], 'states have length 1 / temperature', 1e-3);
      assert.equal(layers.length, 2);
      const { vectors } = model.candidates!(params, 'all');
      const ones = tf.norm(tf.slice(vectors, [1, 0], [4, 4]), 2, -1).dataSync();
      assertClose(ones, [1, 1, 1, 1], 'item vectors have length 1', 1e-5);
      const scores = model.logits(params, last, 'all', INFERENCE).dataSync().slice(1);
      const h = last.dataSync();
      const table = inits.get('item.embedding')!.data;
      const expected = [1, 2, 3, 4].map((item) => {
        const e = table.subarray(item * 4, item * 4 + 4);
        const dot = e.reduce((sum, v, i) => sum + v * h[i]!, 0);
        return dot / Math.hypot(...e) / Math.hypot(...h) / temperature;
      });
      assertClose(scores, expected, 'scores', 1e-3);
    });
    store.dispose();
  });
});
