import { resolve } from 'node:path';
import type { z } from 'zod';
import { RecsysError } from '../errors.js';
import { hint } from '../nearest.js';
import { at, explain, type Issue } from './issues.js';
import { type Layer, type Merged, mergeLayers } from './layers.js';
import { withPreset } from './presets.js';
import { knownKeys, pathsIn, type Shape, shapeOf, walk } from './shape.js';
import type { Key } from './yaml.js';

/** A stage's settings: checked, complete, every path absolute. */
export interface Resolved<C> {
  readonly config: C;
  /** The paths among the settings, by their key. */
  readonly paths: readonly { readonly key: string; readonly file: string }[];
}

/**
 * Resolves settings: schema defaults < the preset that is named < the layers in order. Relative paths become absolute against their layer's folder.
 *
 * @param name the stage, as messages call it
 * @param given how a key is given on the command line, for messages about one that is missing
 * @throws RecsysError CONFIG_INVALID listing everything wrong, each with its place, key, and what was expected and found
 */
export function resolveConfig<S extends z.ZodType>(
  schema: S,
  layers: readonly Layer[],
  name: string,
  given: (key: string) => string | undefined = () => undefined,
): Resolved<z.output<S>> {
  const shape = shapeOf(schema);
  const merged = mergeLayers(withPreset(schema, layers));
  absolutePaths(merged, shape);
  const parsed = schema.safeParse(merged.value);
  const issues = unknownKeys(merged.value, shape);
  if (!parsed.success) issues.push(...explain(parsed.error.issues, merged.value));
  if (!parsed.success || issues.length > 0) {
    const lines = issues.map(
      (issue) =>
        `${place(issue, merged)}: ${issue.path.length === 0 ? '' : `${issue.path.join('.')}: `}${issue.message}${flagged(issue, merged, given)}`,
    );
    const count = lines.length === 1 ? '' : ` (${lines.length} errors)`;
    throw new RecsysError(
      'CONFIG_INVALID',
      `settings of ${name} are not valid${count}\n${[...new Set(lines)].map((line) => `  ${line}`).join('\n')}`,
      {
        remedy: `Correct the keys named above; \`recsys config schema ${name}\` lists all of them.`,
      },
    );
  }
  const paths = [...pathsIn(merged.value, shape)].map(({ path, file }) => ({ key: path.join('.'), file }));
  return { config: parsed.data, paths };
}

function absolutePaths(merged: Merged, shape: Shape): void {
  for (const { path, file } of [...pathsIn(merged.value, shape)]) {
    const holder = at(merged.value, path.slice(0, -1)) as Record<Key, unknown>;
    holder[path.at(-1)!] = resolve(merged.origin(path)?.base ?? '.', file);
  }
}

function unknownKeys(value: unknown, shape: Shape): Issue[] {
  const issues: Issue[] = [];
  for (const visit of walk(value, [shape], shape)) {
    if (typeof visit.value !== 'object' || visit.value === null || Array.isArray(visit.value)) continue;
    const known = visit.shapes.map(knownKeys);
    if (known.length === 0 || known.includes(undefined)) continue;
    const keys = [...new Set(known.flatMap((names) => names ?? []))];
    for (const key of Object.keys(visit.value)) {
      if (!keys.includes(key))
        issues.push({ path: [...visit.path, key], message: `unknown key${hint(key, keys)}`, at: 'key' });
    }
  }
  return issues;
}

/** The flag that gives a key which is missing, where it has one. */
function flagged(issue: Issue, merged: Merged, given: (key: string) => string | undefined): string {
  const flag = given(issue.path.join('.'));
  return flag === undefined || at(merged.value, issue.path) !== undefined ? '' : ` (${flag})`;
}

function place(issue: Issue, merged: Merged): string {
  return merged.origin(issue.path)?.where(issue.path, issue.at ?? 'value') ?? 'settings';
}
