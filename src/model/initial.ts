import type { ParameterInit, Vocabulary } from '../compute/parameters.js';
import type { Random } from '../random.js';

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Normal values with the given deviation. */
export function normal(rng: Random, shape: readonly number[], deviation: number): ParameterInit {
  const data = new Float32Array(size(shape));
  for (let i = 0; i < data.length; i++) data[i] = rng.normal() * deviation;
  return { shape, data, table: false };
}

/** A weight matrix [in, out] by Glorot & Bengio (2010): deviation √(2 / (in + out)). */
export function glorot(rng: Random, inputs: number, outputs: number): ParameterInit {
  return normal(rng, [inputs, outputs], Math.sqrt(2 / (inputs + outputs)));
}

/** An embedding table [rows, width] that grows with a vocabulary; row 0 (padding) is zero. */
export function embedding(
  rng: Random,
  rows: number,
  width: number,
  grows: Vocabulary,
  options: { deviation?: number; table?: boolean } = {},
): ParameterInit {
  const init = normal(rng, [rows, width], options.deviation ?? 0.02);
  init.data.fill(0, 0, width);
  return { ...init, table: options.table ?? true, grows };
}

/** A learned offset for each item's score [items + 1, 1], 0 at first. */
export function itemBias(rows: number): ParameterInit {
  return { ...constant([rows, 1], 0), table: true, grows: 'items' };
}

export function constant(shape: readonly number[], value: number): ParameterInit {
  return { shape, data: new Float32Array(size(shape)).fill(value), table: false };
}
