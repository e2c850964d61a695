import { type Attribute, attr, attributeValue, DT, type Held, intsOf } from './attribute.js';
import type { Node } from './graph-def.js';
import { NotRecordable } from './recorder.js';

/** One recording of a function, on a batch of `size` rows. */
export interface OneSize {
  readonly size: number;
  readonly nodes: readonly Node[];
}

/**
 * A graph for batches of any size, from two recordings of one function at different sizes. What differs between them followed
 * the size: a size in a shape becomes "the rest" (−1), or as many as there are, and a constant filled for each row is filled for as many.
 * Throws NotRecordable, naming the operation, for anything else that follows the size.
 */
export function forAnyBatch(a: OneSize, b: OneSize): Node[] {
  const users = new Map<string, { op: string; slot: number }[]>();
  for (const { op, inputs } of a.nodes)
    for (const [slot, input] of inputs.entries()) {
      const name = input.split(':')[0]!;
      users.set(name, [...(users.get(name) ?? []), { op, slot }]);
    }
  if (a.nodes.length !== b.nodes.length)
    throw new NotRecordable('the number of operations follows the batch size');
  const source = a.nodes.find((node) => node.op === 'Placeholder');
  let rowsAdded = false;
  return a.nodes.flatMap((node, i): Node[] => {
    const other = b.nodes[i]!;
    if (node.name !== other.name || node.op !== other.op || node.inputs.join() !== other.inputs.join())
      throw new NotRecordable(`${node.op}: which operations there are follows the batch size`);
    if (node.op === 'Placeholder') return [openPlaceholder(node, a.size)];
    if (node.op !== 'Const') {
      if (!sameAttributes(node, other))
        throw new NotRecordable(`${node.op}: an attribute follows the batch size`);
      return [node];
    }
    const [first, second] = [heldOf(node), heldOf(other)];
    if (first.shape.join() === second.shape.join() && Buffer.compare(first.data, second.data) === 0)
      return [node];
    const usedAs = users.get(node.name) ?? [];
    const differing = { name: node.name, a: first, b: second, sizeA: a.size, sizeB: b.size, usedAs };
    const rest = restOf(differing);
    if (rest) return [{ ...node, attributes: { ...node.attributes, value: rest } }];
    const filled =
      scatteredSize(differing) ?? filledShape(differing) ?? rangeLimit(differing) ?? filledRows(differing);
    if (!filled || !source) throw new NotRecordable(`${usedAs[0]?.op}: an input follows the batch size`);
    const rows = rowsAdded ? [] : rowsOf(source.name);
    rowsAdded = true;
    return [...rows, ...filled];
  });
}

/** A constant that differs between the two recordings, and as which input of which operations it is used. */
interface Differing {
  readonly name: string;
  readonly a: Held;
  readonly b: Held;
  readonly sizeA: number;
  readonly sizeB: number;
  readonly usedAs: readonly { readonly op: string; readonly slot: number }[];
}

/** Whether a constant is nothing but this input of such operations. */
const usedOnlyAs = ({ usedAs }: Differing, op: string, slot: number): boolean =>
  usedAs.every((use) => use.op === op && use.slot === slot);

const heldOf = (node: Node): Held => attributeValue(node.attributes, 'value', 'tensor')!;

function sameAttributes(a: Node, b: Node): boolean {
  return JSON.stringify(a.attributes) === JSON.stringify(b.attributes);
}

function openPlaceholder(node: Node, size: number): Node {
  const shape = attributeValue(node.attributes, 'shape', 'shape')!;
  if (shape[0] !== size) throw new NotRecordable(`input ${node.name} has no row for each of the batch`);
  return { ...node, attributes: { ...node.attributes, shape: attr.shape([-1, ...shape.slice(1)]) } };
}

/** The shape of a Reshape, or the sizes of a Slice, with −1 where a size follows that of the batch; undefined: it is neither. */
function restOf(differing: Differing): Attribute | undefined {
  const { a: first, b: second, sizeA, sizeB } = differing;
  const reshapes = usedOnlyAs(differing, 'Reshape', 1);
  const slices = usedOnlyAs(differing, 'Slice', 2);
  if ((!reshapes && !slices) || first.dtype !== DT.int32 || first.shape.join() !== second.shape.join())
    return undefined;
  const [a, b] = [intsOf(first), intsOf(second)];
  const following = a.flatMap((n, i) => (n === b[i] ? [] : [i]));
  // Sizes in proportion to the batch's, and for a Reshape no more than one that is left to be found.
  if (following.some((i) => a[i]! * sizeB !== b[i]! * sizeA)) return undefined;
  if (reshapes ? following.length > 1 : following.some((i) => a[i] !== sizeA)) return undefined;
  const open = Int32Array.from(a, (n, i) => (following.includes(i) ? -1 : n));
  return attr.tensor(DT.int32, first.shape, new Uint8Array(open.buffer));
}

const ROWS = 'batch/rows';

/** Nodes that give the number of rows [1] of an input. */
function rowsOf(input: string): Node[] {
  const int = attr.type(DT.int32);
  return [
    constant('batch/begin', [1], Int32Array.of(0)),
    constant('batch/size', [1], Int32Array.of(1)),
    {
      name: 'batch/shape',
      op: 'Shape',
      inputs: [`${input}:0`],
      attributes: { T: int, out_type: int },
      rank: 1,
    },
    {
      name: ROWS,
      op: 'Slice',
      inputs: ['batch/shape:0', 'batch/begin:0', 'batch/size:0'],
      attributes: { T: int, Index: int },
      rank: 1,
    },
  ];
}

/** The shape [c · rows] of what a ScatterNd makes, a whole number of places for each row of the batch. */
function scatteredSize(differing: Differing): Node[] | undefined {
  const { name, a, b, sizeA, sizeB } = differing;
  if (!usedOnlyAs(differing, 'ScatterNd', 2)) return undefined;
  const [first, second] = [intsOf(a), intsOf(b)];
  const each = first[0]! / sizeA;
  if (first.length !== 1 || second.length !== 1 || !Number.isInteger(each) || each !== second[0]! / sizeB)
    return undefined;
  const int = attr.type(DT.int32);
  return [
    constant(`${name}/each`, [1], Int32Array.of(each)),
    { name, op: 'Mul', inputs: [`${ROWS}:0`, `${name}/each:0`], attributes: { T: int }, rank: 1 },
  ];
}

/** The shape of what a Fill makes, with one axis as long as there are rows. */
function filledShape(differing: Differing): Node[] | undefined {
  const { name, a, b, sizeA, sizeB } = differing;
  if (!usedOnlyAs(differing, 'Fill', 0)) return undefined;
  const [first, second] = [intsOf(a), intsOf(b)];
  const following = Array.from(first.keys()).filter((i) => first[i] !== second[i]);
  const [at] = following;
  if (first.length !== second.length || following.length !== 1) return undefined;
  if (first[at!] !== sizeA || second[at!] !== sizeB) return undefined;
  const int = attr.type(DT.int32);
  return [
    constant(`${name}/before`, [at!], Int32Array.from(first).slice(0, at!)),
    constant(`${name}/after`, [first.length - at! - 1], Int32Array.from(first).slice(at! + 1)),
    constant(`${name}/axis`, [], Int32Array.of(0)),
    {
      name,
      op: 'ConcatV2',
      inputs: [`${name}/before:0`, `${ROWS}:0`, `${name}/after:0`, `${name}/axis:0`],
      attributes: { T: int, N: attr.int(3), Tidx: int },
      rank: 1,
    },
  ];
}

/** The number of rows, as the end of a Range. */
function rangeLimit(differing: Differing): Node[] | undefined {
  const { name, a, b, sizeA, sizeB } = differing;
  if (!usedOnlyAs(differing, 'Range', 1)) return undefined;
  if (intsOf(a).join() !== `${sizeA}` || intsOf(b).join() !== `${sizeB}`) return undefined;
  const int = attr.type(DT.int32);
  return [
    constant(`${name}/scalar`, [0], new Int32Array(0)),
    {
      name,
      op: 'Reshape',
      inputs: [`${ROWS}:0`, `${name}/scalar:0`],
      attributes: { T: int, Tshape: int },
      rank: 0,
    },
  ];
}

/** A constant of one value, a row for each of the batch → the same, filled for as many rows as there are. */
function filledRows({ name, a, b, sizeA, sizeB }: Differing): Node[] | undefined {
  const inner = a.shape.slice(1);
  if (a.shape[0] !== sizeA || b.shape[0] !== sizeB || inner.join() !== b.shape.slice(1).join())
    return undefined;
  const width = a.dtype === DT.bool ? 1 : 4;
  const value = a.data.slice(0, width);
  const uniform = (held: Held): boolean => {
    for (let at = 0; at < held.data.length; at++) if (held.data[at] !== value[at % width]) return false;
    return true;
  };
  if (!uniform(a) || !uniform(b)) return undefined;
  const int = attr.type(DT.int32);
  const type = attr.type(a.dtype);
  return [
    constant(`${name}/inner`, [inner.length], Int32Array.from(inner)),
    constant(`${name}/axis`, [], Int32Array.of(0)),
    {
      name: `${name}/shape`,
      op: 'ConcatV2',
      inputs: [`${ROWS}:0`, `${name}/inner:0`, `${name}/axis:0`],
      attributes: { T: int, N: attr.int(2), Tidx: int },
      rank: 1,
    },
    {
      name: `${name}/value`,
      op: 'Const',
      inputs: [],
      attributes: { dtype: type, value: attr.tensor(a.dtype, [], value) },
    },
    {
      name,
      op: 'Fill',
      inputs: [`${name}/shape:0`, `${name}/value:0`],
      attributes: { T: type, index_type: int },
      rank: a.shape.length,
    },
  ];
}

function constant(name: string, shape: readonly number[], values: Int32Array): Node {
  const value = attr.tensor(DT.int32, shape, new Uint8Array(values.buffer));
  return { name, op: 'Const', inputs: [], attributes: { dtype: attr.type(DT.int32), value } };
}
