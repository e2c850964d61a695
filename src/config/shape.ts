import { z } from 'zod';
import { isRecord } from './layers.js';
import type { Key } from './yaml.js';

/** The part of JSON Schema that a zod schema of a stage turns into. */
export interface Shape {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: boolean | Shape;
  readonly propertyNames?: Shape;
  readonly required?: readonly string[];
  readonly items?: Shape | boolean;
  readonly prefixItems?: readonly Shape[];
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly allOf?: readonly Shape[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
  readonly format?: string;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Shape>>;
  readonly [other: string]: unknown;
}

/** JSON Schema of what a user writes for this stage. */
export function shapeOf(schema: z.ZodType): Shape {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as Shape;
}

/** The plain alternatives of a shape: unions taken apart, references followed. */
export function alternatives(shape: Shape, root: Shape): readonly Shape[] {
  if (shape.$ref !== undefined) {
    const target = shape.$ref === '#' ? root : root.$defs?.[shape.$ref.replace('#/$defs/', '')];
    return target === undefined ? [] : alternatives(target, root);
  }
  const union = shape.anyOf ?? shape.oneOf ?? shape.allOf;
  return union === undefined ? [shape] : union.flatMap((option) => alternatives(option, root));
}

/** The alternatives that a value may be meant as: of its type, and with its constants. */
export function candidates(shape: Shape, value: unknown, root: Shape): readonly Shape[] {
  const fitting = alternatives(shape, root).filter((option) => fits(option, value));
  if (!isRecord(value)) return fitting;
  const exact = fitting.filter((option) => constantsMatch(option, value));
  return exact.length > 0 ? exact : fitting;
}

function fits(shape: Shape, value: unknown): boolean {
  if (Array.isArray(value)) return shape.type === 'array' || isAny(shape);
  if (isRecord(value)) return shape.type === 'object' || isAny(shape);
  return shape.type !== 'array' && shape.type !== 'object';
}

/** A shape without any say about its type: everything is allowed. */
export function isAny(shape: Shape): boolean {
  return shape.type === undefined && shape.enum === undefined && shape.const === undefined;
}

function constantsMatch(shape: Shape, value: Record<string, unknown>): boolean {
  for (const [name, inner] of Object.entries(shape.properties ?? {})) {
    if (inner.const === undefined) continue;
    const given = Object.hasOwn(value, name) ? value[name] : inner.default;
    if (given !== inner.const) return false;
  }
  return true;
}

/** Keys a mapping of this shape may have; undefined where any is allowed. */
export function knownKeys(shape: Shape): readonly string[] | undefined {
  if (isAny(shape)) return undefined;
  const open = shape.additionalProperties !== undefined && shape.additionalProperties !== false;
  return open ? undefined : Object.keys(shape.properties ?? {});
}

function child(shape: Shape, key: Key): Shape | undefined {
  if (shape.type === 'array') {
    const own = shape.prefixItems?.[Number(key)];
    return own ?? (typeof shape.items === 'object' ? shape.items : undefined);
  }
  const name = String(key);
  if (shape.properties !== undefined && Object.hasOwn(shape.properties, name)) return shape.properties[name];
  return typeof shape.additionalProperties === 'object' ? shape.additionalProperties : undefined;
}

export interface Visit {
  readonly path: readonly Key[];
  readonly value: unknown;
  /** What the value may be meant as. Empty: of no allowed type. */
  readonly shapes: readonly Shape[];
}

/** Visits a value and everything in it, each with the shapes it may be meant as; leaves out what no shape describes. */
export function* walk(
  value: unknown,
  shapes: readonly Shape[],
  root: Shape,
  path: readonly Key[] = [],
): Generator<Visit> {
  const meant = shapes.flatMap((shape) => candidates(shape, value, root));
  yield { path, value, shapes: meant };
  const entries: Iterable<[Key, unknown]> = Array.isArray(value)
    ? value.entries()
    : isRecord(value)
      ? Object.entries(value)
      : [];
  for (const [key, inner] of entries) {
    const next = meant.map((shape) => child(shape, key)).filter((shape) => shape !== undefined);
    if (next.length > 0) yield* walk(inner, next, root, [...path, key]);
  }
}

/** Every path-valued place of a value. `-` (stdin) is not a path. */
export function* pathsIn(value: unknown, root: Shape): Generator<{ path: readonly Key[]; file: string }> {
  for (const visit of walk(value, [root], root)) {
    if (typeof visit.value !== 'string' || visit.value === '' || visit.value === '-') continue;
    if (visit.shapes.some((shape) => shape.format === 'path')) yield { path: visit.path, file: visit.value };
  }
}
