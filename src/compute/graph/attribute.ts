import { Message } from './protobuf.js';

/** Numbers of tensorflow.DataType. */
export const DT = { float: 1, int32: 3, bool: 10, resource: 20 } as const;

/** A tensor's value: a number of `DT`, and the bytes of the values, little-endian and row-major. */
export interface Held {
  readonly dtype: number;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

interface Values {
  readonly type: number;
  readonly int: number;
  readonly float: number;
  readonly bool: boolean;
  readonly string: string;
  readonly shape: readonly number[];
  readonly ints: readonly number[];
  readonly tensor: Held;
}
type Kind = keyof Values;

/** One attribute of a node (tensorflow.AttrValue). */
export type Attribute = { [K in Kind]: { readonly kind: K; readonly value: Values[K] } }[Kind];

export type Attributes = Readonly<Record<string, Attribute>>;

export const attr = {
  type: (value: number): Attribute => ({ kind: 'type', value }),
  /** −1: of any size. */
  shape: (value: readonly number[]): Attribute => ({ kind: 'shape', value }),
  int: (value: number): Attribute => ({ kind: 'int', value }),
  bool: (value: boolean): Attribute => ({ kind: 'bool', value }),
  float: (value: number): Attribute => ({ kind: 'float', value }),
  string: (value: string): Attribute => ({ kind: 'string', value }),
  ints: (value: readonly number[]): Attribute => ({ kind: 'ints', value }),
  tensor: (dtype: number, shape: readonly number[], data: Uint8Array): Attribute => ({
    kind: 'tensor',
    value: { dtype, shape, data },
  }),
};

/** The value of an attribute that is of this kind; undefined where there is none of that name. */
export function attributeValue<K extends Kind>(
  attributes: Attributes,
  name: string,
  kind: K,
): Values[K] | undefined {
  const attribute = attributes[name];
  if (attribute === undefined) return undefined;
  if (attribute.kind !== kind) throw new Error(`graph: attribute ${name} is ${attribute.kind}, not ${kind}`);
  return attribute.value as Values[K];
}

/** The whole numbers of an int32 tensor. */
export function intsOf({ data }: Held): number[] {
  return [...new Int32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength))];
}

/** The tensorflow.AttrValue message of an attribute. */
export function encodeAttribute(attribute: Attribute): Message {
  const message = new Message();
  switch (attribute.kind) {
    case 'type':
      return message.int(6, attribute.value);
    case 'shape':
      return message.message(7, shapeProto(attribute.value));
    case 'int':
      return message.int(3, attribute.value);
    case 'bool':
      return message.int(5, attribute.value ? 1 : 0);
    case 'float':
      return message.float(4, attribute.value);
    case 'string':
      return message.bytes(2, attribute.value);
    case 'ints':
      return message.message(
        1,
        attribute.value.reduce((list, v) => list.int(3, v), new Message()),
      );
    case 'tensor': {
      const { dtype, shape, data } = attribute.value;
      return message.message(8, new Message().int(1, dtype).message(2, shapeProto(shape)).bytes(4, data));
    }
  }
}

/** A tensorflow.TensorShapeProto. */
export function shapeProto(shape: readonly number[]): Message {
  return shape.reduce((message, size) => message.message(2, new Message().int(1, size)), new Message());
}
