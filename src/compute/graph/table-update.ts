import * as tf from '@tensorflow/tfjs-core';
import type { RowGradient } from '../parameters.js';
import { attr, DT } from './graph-def.js';
import type { RecordParts } from './program.js';
import type { Recorder } from './recorder.js';

const FLOAT = attr.type(DT.float);
const INT = attr.type(DT.int32);

export interface TableUpdates {
  /** Σ g² of each table's merged row gradients. */
  readonly squaredNorms: tf.Tensor[];
  /** Records the updates, each after all the step's gathers of its table; gives the control edges that make them happen. */
  apply(scale: tf.Tensor, rate: tf.Scalar, gathers: readonly { table: string; node: string }[]): string[];
}

/**
 * One lazy update for each embedding table: the ids of all its lookups joined and made distinct, their gradients summed by
 * id, rows and state gathered, the optimizer's elementwise form on those rows, and the result scattered back.
 * How many distinct ids a batch has is known only when it runs, so these nodes are made by hand; the optimizer's ops, which
 * are elementwise, are recorded on a stand-in.
 */
export function updateTables(
  parts: RecordParts,
  recorder: Recorder,
  recording: boolean,
  recorded: readonly RowGradient[],
  handles: ReadonlyMap<string, string>,
): TableUpdates {
  const { graph, eager, options } = parts;
  const { optimizer, store, l2 = 0 } = options;
  const names = [...new Set(recorded.map((r) => r.name))];
  const gather = (variable: string, ids: string): string =>
    `${graph.node('ResourceGather', [handles.get(variable)!, ids], {
      dtype: FLOAT,
      Tindices: INT,
      batch_dims: attr.int(0),
      validate_indices: attr.bool(true),
    })}:0`;
  const tables = names.map((name) => {
    const lookups = recorded.filter((r) => r.name === name);
    const { width } = store.tables.get(name)!;
    // Stand-ins of one row: what counts is the graph reference they are bound to.
    const gradient = tf.zeros([1, width]);
    let ids = '';
    if (recording) {
      const axis = graph.constant(DT.int32, [], new Uint8Array(Int32Array.of(0).buffer));
      const join = (inputs: string[], type: typeof FLOAT): string =>
        inputs.length === 1
          ? inputs[0]!
          : `${graph.node('ConcatV2', [...inputs, axis], { N: attr.int(inputs.length), T: type, Tidx: INT })}:0`;
      const allIds = join(
        lookups.map((r) => recorder.reference(r.idsTensor!)),
        INT,
      );
      const allGradients = join(
        lookups.map((r) => recorder.reference(r.gradient)),
        FLOAT,
      );
      const unique = graph.node('Unique', [allIds], { T: INT, out_idx: INT });
      ids = `${unique}:0`;
      const count = `${graph.node('Size', [ids], { T: INT, out_type: INT })}:0`;
      const sum = graph.node('UnsortedSegmentSum', [allGradients, `${unique}:1`, count], {
        T: FLOAT,
        Tindices: INT,
        Tnumsegments: INT,
      });
      // Padding (row 0) never trains.
      const zero = graph.constant(DT.int32, [], new Uint8Array(Int32Array.of(0).buffer));
      const present = `${graph.node('NotEqual', [ids, zero], { T: INT, incompatible_shape_error: attr.bool(true) })}:0`;
      const mask = `${graph.node('Cast', [present], { SrcT: attr.type(DT.bool), DstT: FLOAT, Truncate: attr.bool(false) })}:0`;
      const one = graph.constant(DT.int32, [], new Uint8Array(Int32Array.of(1).buffer));
      const column = `${graph.node('ExpandDims', [mask, one], { T: FLOAT, Tdim: INT })}:0`;
      recorder.bind(gradient, `${graph.node('Mul', [`${sum}:0`, column], { T: FLOAT })}:0`);
    }
    return { name, width, gradient, ids, lookups };
  });
  const squaredNorms = tables.map((t) => tf.sum(tf.square(t.gradient)));
  return {
    squaredNorms,
    apply(scale, rate, gathers) {
      const controls: string[] = [];
      for (const { name, width, gradient, ids, lookups } of tables) {
        const rows = tf.zeros([1, width]);
        const slots = eager.tableSlots.get(name)!.map(() => tf.zeros([1, width]));
        const slotNames = optimizer.slots.map((s) => `${name}/${s.name}`);
        if (recording) {
          recorder.bind(rows, gather(name, ids));
          slots.forEach((s, k) => {
            recorder.bind(s, gather(slotNames[k]!, ids));
          });
        }
        let g: tf.Tensor = tf.mul(gradient, scale);
        if (l2 > 0 && width > 1) g = tf.add(g, tf.mul(rows, l2));
        const next = optimizer.dense(rows, g, slots, rate);
        tf.dispose(lookups.flatMap((r) => (r.idsTensor ? [r.gradient, r.idsTensor] : [r.gradient])));
        if (!recording) continue;
        const after = [next.parameter, ...next.slots].map((t) => recorder.reference(t));
        const reads = [
          ...after.map((reference) => `^${reference.split(':')[0]!}`),
          ...gathers.filter((one) => one.table === name).map((one) => `^${one.node}`),
        ];
        [name, ...slotNames].forEach((variable, k) => {
          const node = graph.node(
            'ResourceScatterUpdate',
            [handles.get(variable)!, ids, after[k]!, ...reads],
            {
              dtype: FLOAT,
              Tindices: INT,
            },
          );
          controls.push(`^${node}`);
        });
      }
      return controls;
    },
  };
}
