import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { BackendName } from '../../src/compute/backend.js';
import type { FrozenGraph } from '../../src/compute/graph/frozen.js';
import { toOnnx } from '../../src/compute/onnx/convert.js';
import { hasOnnxRuntime } from '../../src/compute/onnx/runtime.js';
import { type GraphFormat, openGraph, writeGraph } from '../../src/export/graph.js';
import { checkParity } from '../../src/export/parity.js';
import { randomRequests } from '../../src/export/requests.js';
import { freezeModel } from '../../src/model/exported.js';
import type { RestoredModel } from '../../src/model/restore.js';
import { modelScorer } from '../../src/model/scorer.js';
import { twoHalves } from '../../src/model/vectors.js';
import { assertClose, assertNoLeak } from './assertions.js';
import { recordingContext } from './fixtures.js';

const FORMATS: readonly GraphFormat[] = ['savedmodel', 'onnx'];
const TOP = 4;

/** What every model must do when it is exported. */
export function exportContract(
  backend: BackendName,
  restored: RestoredModel,
  reads: { readonly readsHistory: boolean; readonly readsUser: boolean },
): void {
  const { model, catalogue } = restored;
  const items = catalogue.items.length - 1;
  // Asked in a batch of 64 and one of 6.
  const queries = randomRequests(catalogue, model.length, 70, 3);

  test('state · item vector + offset is the score, where there are item vectors', () =>
    assertNoLeak('two halves', async () => {
      const halves = twoHalves(restored);
      assert.equal(halves !== undefined, model.candidates !== undefined);
      if (!halves) return;
      const { vectors, offsets, width } = halves;
      const scorer = modelScorer(restored);
      const states = halves.states(queries);
      const expected = await scorer.score(queries);
      for (const row of [0, 1, 69])
        for (let item = 1; item <= items; item++) {
          let sum = offsets[item]!;
          for (let d = 0; d < width; d++) sum += states[row * width + d]! * vectors[item * width + d]!;
          assertClose([sum], [expected[row * (items + 1) + item]!], `request ${row}, item ${item}`);
        }
      halves.dispose();
      scorer.dispose();
    }));

  if (backend !== 'tensorflow') return;
  let graph: FrozenGraph;
  let dir = '';
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'recsys-export-test-'));
    await assertNoLeak('freezing', () => {
      graph = freezeModel(restored, TOP);
    });
  });
  after(() => rm(dir, { recursive: true, force: true }));

  test('its graph reads what the model reads, and gives scores, state and a list', () => {
    const inputs = graph.inputs.map(({ name }) => name);
    assert.equal(inputs.includes('items'), reads.readsHistory);
    assert.equal(inputs.includes('users'), reads.readsUser);
    const shapes = Object.fromEntries(graph.outputs.map(({ name, shape }) => [name, shape]));
    const state = model.candidates ? { state: [-1, model.width] } : {};
    assert.deepEqual(shapes, { scores: [-1, items + 1], ...state, top: [-1, TOP] });
  });

  test('its graph has operations of TensorFlow alone, each with a counterpart in ONNX', () => {
    assert.deepEqual(
      graph.nodes.filter(({ op }) => op.startsWith('Recsys')),
      [],
    );
    assert.ok(toOnnx(graph, 'model', '0').byteLength > 100);
  });

  for (const format of FORMATS) {
    const skip = format === 'onnx' && !hasOnnxRuntime() && 'onnxruntime-node is not installed';
    test(`as ${format} it answers batches of every size as it did`, { skip }, async () => {
      await writeGraph(dir, format, graph, 'model');
      const artefact = await openGraph(dir, format, graph, model);
      assert.ok(artefact.written);
      const scorer = modelScorer(restored);
      const vectors = twoHalves(restored);
      const options = { tolerance: 1e-5, context: recordingContext(), vectors };
      const { differences } = await checkParity(scorer, artefact, queries, options);
      assert.deepEqual(Object.keys(differences), ['scores', ...(vectors ? ['state'] : []), 'top']);
      const alone = await artefact.answer([queries[1]!]);
      assertClose(
        alone.scores.subarray(1),
        (await scorer.score([queries[1]!])).subarray(1),
        'a request alone',
        1e-4,
      );
      artefact.dispose();
      scorer.dispose();
      vectors?.dispose();
    });
  }
}
