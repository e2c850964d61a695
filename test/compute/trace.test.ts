import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Message } from '../../src/compute/graph/protobuf.js';
import { costliest, parseRunMetadata } from '../../src/compute/graph/trace.js';

const node = (name: string, op: string, start: number, end: number): Message =>
  new Message()
    .bytes(1, name)
    .int(2, 1_700_000_000_000_000)
    .int(3, start)
    .int(4, end)
    .bytes(8, `${name} = ${op}(a, b)`);

describe('the trace of a run', () => {
  const metadata = new Message().message(
    1,
    new Message()
      .message(
        1,
        new Message()
          .bytes(1, '/device:CPU:0')
          .message(2, node('a', 'MatMul', 5, 305))
          .message(2, node('b', 'Add', 300, 310)),
      )
      .message(1, new Message().bytes(1, '/device:CPU:1').message(2, node('c', 'MatMul', 0, 100))),
  );
  const nodes = parseRunMetadata(metadata.encode());

  test('gives each node of every device with its time', () => {
    assert.deepEqual(nodes, [
      { node: 'a', op: 'MatMul', microseconds: 300 },
      { node: 'b', op: 'Add', microseconds: 10 },
      { node: 'c', op: 'MatMul', microseconds: 100 },
    ]);
    assert.deepEqual(parseRunMetadata(new Uint8Array(0)), []);
  });

  test('is summed by operation, the costliest first', () => {
    assert.deepEqual(costliest(nodes, 5), [
      { op: 'MatMul', count: 2, milliseconds: 0.4, share: 400 / 410 },
      { op: 'Add', count: 1, milliseconds: 0.01, share: 10 / 410 },
    ]);
    assert.equal(costliest(nodes, 1).length, 1);
  });
});
