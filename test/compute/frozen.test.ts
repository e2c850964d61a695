import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { type FrozenGraph, freeze } from '../../src/compute/graph/frozen.js';
import { Message } from '../../src/compute/graph/protobuf.js';
import { NotRecordable } from '../../src/compute/graph/recorder.js';
import { toOnnx } from '../../src/compute/onnx/convert.js';
import { kernels } from '../../src/compute/ops/kernel.js';
import { RecsysError } from '../../src/errors.js';
import { assertNoLeak } from '../suites/assertions.js';
import { onEachBackend } from '../suites/backends.js';
import { fieldsOf, textOf } from './protobuf.js';

const rows = (size: number) =>
  ({
    x: { dtype: 'F32', shape: [size, 2], data: Float32Array.from({ length: 2 * size }, (_, i) => i) },
  }) as const;
const numbers = (n: number) => Float32Array.from({ length: n }, (_, i) => i);

onEachBackend('a frozen graph', (backend) => {
  const skip = backend !== 'tensorflow' && 'only the native backend records';

  test('another backend says what to do', { skip: backend === 'tensorflow' }, () => {
    assert.throws(
      () => freeze(({ x }) => ({ y: x! }), rows),
      (error) =>
        error instanceof RecsysError &&
        error.code === 'BACKEND_UNAVAILABLE' &&
        /item-vectors/.test(error.remedy),
    );
  });

  test('is of any batch size where shapes and filled rows follow it', { skip }, async () => {
    await assertNoLeak('freezing', () => {
      const graph = freeze(({ x }) => {
        const size = x!.shape[0]!;
        const wide = tf.concat([x!, tf.ones([size, 1])], 1);
        return { y: tf.reshape(tf.slice(wide, [0, 1], [size, 2]), [size * 2, 1]) };
      }, rows);
      assert.deepEqual(graph.inputs, [{ name: 'x', dtype: 'float32', shape: [-1, 2] }]);
      const ops = graph.nodes.map(({ op }) => op);
      assert.ok(ops.includes('Fill') && ops.includes('Slice') && ops.includes('Reshape'));
    });
  });

  test('refuses what follows the batch size in any other way', { skip }, () => {
    const size = (x: tf.Tensor): number => x.shape[0]!;
    const refused: Parameters<typeof freeze>[0][] = [
      // The size as a number, rows that differ, a size in a place that is not the first, one operation a row.
      ({ x }) => ({ y: tf.div(x!, size(x!)) }),
      ({ x }) => ({ y: tf.mul(x!, tf.tensor2d(numbers(x!.size), [size(x!), 2])) }),
      ({ x }) => ({ y: tf.matMul(x as tf.Tensor2D, tf.ones([2, size(x!)])) }),
      ({ x }) => ({ y: tf.addN(Array.from({ length: size(x!) }, () => x!)) }),
    ];
    for (const work of refused) assert.throws(() => freeze(work, rows), NotRecordable);
  });

  test('puts the fused operations back, after a failure too', { skip }, () => {
    const had = kernels() !== undefined;
    freeze(({ x }) => ({ y: tf.relu(x!) }), rows);
    assert.equal(kernels() !== undefined, had);
    assert.throws(() => freeze(({ x }) => ({ y: tf.scalar(x!.dataSync()[0]!) }), rows));
    assert.equal(kernels() !== undefined, had);
  });
});

const float = { kind: 'type', value: 1 } as const;
const node = (name: string, op: string, inputs: string[], attributes = {}, rank = 2) => ({
  name,
  op,
  inputs,
  attributes,
  rank,
});
const port = (name: string, ...shape: number[]) => ({ name, dtype: 'float32', shape }) as const;

/** y = x · wᵀ with w [1, 2]. */
const product: FrozenGraph = {
  nodes: [
    node('x', 'Placeholder', []),
    {
      ...node('w', 'Const', []),
      attributes: {
        dtype: float,
        value: {
          kind: 'tensor',
          value: { dtype: 1, shape: [1, 2], data: new Uint8Array(Float32Array.of(2, 3).buffer) },
        },
      },
    },
    node('p', 'MatMul', ['x:0', 'w:0'], { transpose_b: { kind: 'bool', value: true } }),
    node('y', 'Identity', ['p:0']),
  ],
  inputs: [port('x', -1, 2)],
  outputs: [port('y', -1, 1)],
};

test('ONNX: nodes, constants, inputs and outputs of a small graph, field by field', () => {
  const model = fieldsOf(toOnnx(product, 'small', '1.2.3'));
  assert.equal(model.get(1)![0], 8, 'IR version');
  assert.equal(textOf(model.get(2)![0]), 'recsys');
  const opset = fieldsOf(model.get(8)![0] as Uint8Array);
  assert.equal(opset.get(2)![0], 17);
  const graph = fieldsOf(model.get(7)![0] as Uint8Array);
  const nodes = graph.get(1)!.map((bytes) => fieldsOf(bytes as Uint8Array));
  assert.deepEqual(
    nodes.map((one) => [textOf(one.get(4)![0]), one.get(1)!.map(textOf), one.get(2)!.map(textOf)]),
    [
      ['Transpose', ['w'], ['Transpose/0']],
      ['MatMul', ['x', 'Transpose/0'], ['p']],
      ['Identity', ['p'], ['y']],
    ],
  );
  const perm = fieldsOf(nodes[0]!.get(5)![0] as Uint8Array);
  assert.deepEqual([textOf(perm.get(1)![0]), perm.get(8), perm.get(20)], ['perm', [1, 0], [7]]);
  const w = fieldsOf(graph.get(5)![0] as Uint8Array);
  assert.deepEqual([w.get(1), w.get(2), textOf(w.get(8)![0])], [[1, 2], [1], 'w']);
  assert.deepEqual([...(w.get(9)![0] as Uint8Array)], [0, 0, 0, 64, 0, 0, 64, 64]);
  const x = fieldsOf(graph.get(11)![0] as Uint8Array);
  assert.equal(textOf(x.get(1)![0]), 'x');
});

test('ONNX: an operation without a counterpart is named', () => {
  const graph = { ...product, nodes: [...product.nodes, node('z', 'Bessel', ['x:0'])] };
  assert.throws(
    () => toOnnx(graph, 'small', '1'),
    (error) =>
      error instanceof RecsysError &&
      error.code === 'EXPORT_IMPOSSIBLE' &&
      /converts Bessel/.test(error.message),
  );
});

test('the protocol-buffer writer: any field and any whole number come back', () => {
  const field = fc.integer({ min: 1, max: 2 ** 20 });
  const entry = fc.oneof(
    fc.tuple(field, fc.maxSafeInteger()),
    fc.tuple(field, fc.uint8Array({ maxLength: 300 })),
  );
  fc.assert(
    fc.property(fc.array(entry), (entries) => {
      const message = new Message();
      const expected = new Map<number, (number | Uint8Array)[]>();
      for (const [number, value] of entries) {
        if (typeof value === 'number') message.int(number, value);
        else message.bytes(number, value);
        expected.set(number, [...(expected.get(number) ?? []), value]);
      }
      const found = fieldsOf(message.encode());
      const plain = (fields: typeof found) =>
        [...fields].map(([n, values]) => [n, values.map((v) => (typeof v === 'number' ? v : [...v]))]);
      assert.deepEqual(plain(found), plain(expected));
    }),
  );
});
