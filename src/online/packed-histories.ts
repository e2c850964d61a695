import type { HostTensor, TensorMap } from '../types.js';

/** Events, oldest first, by column; `times` and `values` are empty or absent where they are not kept. */
export interface HistoryColumns {
  readonly items: Int32Array;
  readonly behaviours: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly times?: Float64Array;
  /** NaN where an event has none. */
  readonly values?: Float32Array;
}

/** Which columns are kept besides items and behaviours. */
export interface KeptColumns {
  readonly times?: boolean;
  readonly values?: boolean;
}

/**
 * Histories one after another, as tensors: `<prefix>.offsets` [histories + 1], `.items`, `.behaviours`, `.times` (float64 as bytes) and
 * `.values`.
 */
export function packHistories(
  prefix: string,
  histories: readonly HistoryColumns[],
  keeps: KeptColumns,
): TensorMap {
  const offsets = new Int32Array(histories.length + 1);
  for (const [i, { items }] of histories.entries()) offsets[i + 1] = offsets[i]! + items.length;
  const total = offsets.at(-1)!;
  const items = new Int32Array(total);
  const behaviours = new Uint8Array(total);
  const times = new Float64Array(keeps.times ? total : 0);
  const values = new Float32Array(keeps.values ? total : 0);
  for (const [i, history] of histories.entries()) {
    const at = offsets[i]!;
    items.set(history.items, at);
    behaviours.set(history.behaviours, at);
    if (keeps.times && history.times) times.set(history.times, at);
    if (keeps.values && history.values) values.set(history.values, at);
  }
  const tensors: TensorMap = new Map<string, HostTensor>([
    [`${prefix}.offsets`, { dtype: 'I32', shape: [offsets.length], data: offsets }],
    [`${prefix}.items`, { dtype: 'I32', shape: [total], data: items }],
    [`${prefix}.behaviours`, { dtype: 'U8', shape: [total], data: behaviours }],
  ]);
  if (keeps.times)
    tensors.set(`${prefix}.times`, { dtype: 'U8', shape: [total, 8], data: new Uint8Array(times.buffer) });
  if (keeps.values) tensors.set(`${prefix}.values`, { dtype: 'F32', shape: [total], data: values });
  return tensors;
}

/** The histories that `packHistories` packed, in order: copies. */
export function unpackHistories(
  prefix: string,
  tensors: ReadonlyMap<string, HostTensor>,
  keeps: KeptColumns,
): HistoryColumns[] {
  const data = (name: string) => tensors.get(`${prefix}.${name}`)!.data;
  const offsets = data('offsets');
  const items = data('items') as Int32Array;
  const behaviours = data('behaviours') as Uint8Array;
  const times = keeps.times ? new Float64Array(Uint8Array.from(data('times')).buffer) : undefined;
  const values = keeps.values ? (data('values') as Float32Array) : undefined;
  return Array.from({ length: offsets.length - 1 }, (_, i) => {
    const [from, to] = [offsets[i]!, offsets[i + 1]!];
    return {
      items: items.slice(from, to),
      behaviours: behaviours.slice(from, to),
      ...(times ? { times: times.slice(from, to) } : {}),
      ...(values ? { values: values.slice(from, to) } : {}),
    };
  });
}
