import { test } from 'node:test';
import { INFERENCE } from '../../../src/compute/dropout.js';
import { ParameterStore } from '../../../src/compute/parameters.js';
import { sequencesOf } from '../../../src/model/inputs.js';
import { createModel, modelSchema } from '../../../src/model/registry.js';
import { queryInputs } from '../../../src/model/scorer.js';
import { Random } from '../../../src/random.js';
import type { Query } from '../../../src/types.js';
import { assertClose, valuesOf } from '../../suites/assertions.js';
import { onEachBackend } from '../../suites/backends.js';
import { catalogueOf, withNoise } from '../../suites/fixtures.js';

/** Item vectors of width 1, so that a user is two numbers: the weights of the vector and of the 1 behind it. */
const config = modelSchema.parse({
  name: 'fold-in',
  width: 2,
  length: 4,
  center: 3,
  itemAttributes: false,
  userAttributes: false,
});

onEachBackend('fold-in', () => {
  test('a user is the ridge regression of the events that were given, by hand', () => {
    const catalogue = catalogueOf(2, 4);
    const model = createModel(config, catalogue);
    const inits = withNoise(model.init(new Random(1)), 2);
    const value = (name: string): Float32Array => inits.get(name)!.data;
    const query: Query = {
      user: 1,
      items: Int32Array.of(2, 4, 1),
      behaviours: new Uint8Array(3),
      values: Float32Array.of(5, 2, Number.NaN),
    };
    const store = new ParameterStore(inits, model.constants());
    const state = valuesOf(
      () => model.encode(store.reader(), sequencesOf(queryInputs([query], model)), INFERENCE).states,
    );
    store.dispose();

    const phi = (item: number): number[] => [...value('item.embedding').subarray(2 * item, 2 * item + 2), 1];
    const prior = [...value('user.mean')];
    const a = [0, 1, 2].map((i) => [0, 1, 2].map((j) => (i === j ? Math.exp(value('penalty')[i]!) : 0)));
    const b = [0, 0, 0];
    [5 - 3, 2 - 3, 0].forEach((y, t) => {
      const item = query.items[t]!;
      const weight = Math.exp(value('recency')[1 + t]!);
      const x = phi(item);
      const residual = y - value('output.bias')[item]! - x.reduce((sum, v, d) => sum + v * prior[d]!, 0);
      for (let i = 0; i < 3; i++) {
        b[i]! += weight * x[i]! * residual;
        for (let j = 0; j < 3; j++) a[i]![j]! += weight * x[i]! * x[j]!;
      }
    });
    assertClose(
      state,
      cramer(a, b).map((w, d) => w + prior[d]!),
      'state',
      1e-4,
    );
  });
});

/** Three equations by Cramer's rule. */
function cramer(a: number[][], b: number[]): number[] {
  const det = ([p, q, r]: number[][]): number =>
    p![0]! * (q![1]! * r![2]! - q![2]! * r![1]!) -
    p![1]! * (q![0]! * r![2]! - q![2]! * r![0]!) +
    p![2]! * (q![0]! * r![1]! - q![1]! * r![0]!);
  return b.map((_, d) => det(a.map((row, i) => row.map((x, j) => (j === d ? b[i]! : x)))) / det(a));
}
